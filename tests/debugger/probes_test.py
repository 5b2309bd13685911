#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""probes_test.py PROVIDER LIBRARY WITH-OBJECTS -- WITHOUT-OBJECTS: the drop-in's probes, read off the files.

LIBRARY has every probe of glibc's locks with as many arguments, and plc's own. Where this machine's libc.so.6 has probes
itself they are compared with ours. And the fast paths, compiled with probes, are the instructions that they are without,
but for one nop at each probe."""
import os
import re
import subprocess
import sys

# glibc's, with their numbers of arguments: nptl's LIBC_PROBE.
GLIBC = {"mutex_init": 1, "mutex_destroy": 1, "mutex_entry": 1, "mutex_acquired": 1, "mutex_release": 1,
         "mutex_timedlock_entry": 2, "mutex_timedlock_acquired": 1, "mutex_clocklock_entry": 3,
         "rdlock_entry": 1, "rdlock_acquire_read": 1, "wrlock_entry": 1, "wrlock_acquire_write": 1, "rwlock_unlock": 1,
         "rwlock_destroy": 1, "cond_init": 2, "cond_wait": 2, "cond_signal": 1, "cond_broadcast": 1, "cond_destroy": 1,
         "lll_lock_wait": 1}
OURS = {"park": 2, "parked": 3, "unpark": 2}
FAST_PATHS = ("dropin_mutex_lock", "dropin_mutex_unlock", "dropin_mutex_trylock", "rdlock", "wrlock", "unlock",
              "dropin_cond_signal", "dropin_cond_broadcast")
failures = []


def run(*command):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def check(condition, complaint):
    if not condition:
        failures.append(complaint)


def notes(path):
    """{(provider, name): set of numbers of arguments} and how many probes there are."""
    found, count = {}, 0
    text = run("readelf", "-nW", path)
    for provider, name, arguments in re.findall(r"Provider: (\S+)\n\s*Name: (\S+)\n.*\n\s*Arguments:(.*)", text):
        found.setdefault((provider, name), set()).add(len(re.findall(r"-?\d+@", arguments)))
        count += 1
    return found, count


def check_names(provider, library):
    found, count = notes(library)
    expected = {(provider, name): {number} for name, number in GLIBC.items()}
    expected.update({("plc", name): {number} for name, number in OURS.items()})
    for probe, numbers in expected.items():
        check(found.get(probe) == numbers, f"{':'.join(probe)} has {found.get(probe)} arguments instead of {numbers}")
    for probe in found.keys() - expected.keys():
        failures.append(f"{':'.join(probe)} is none of glibc's and none of ours")
    print(f"{count} probes of {len(found)} names, arguments as glibc's")


def check_nops(library):
    """What a tracer replaces is an instruction that does nothing."""
    locations = re.findall(r"Location: 0x0*([0-9a-f]+),", run("readelf", "-nW", library))
    instructions = dict(re.findall(r"^\s*([0-9a-f]+):\s+(.*?)\s*$", run("objdump", "-d", "--no-show-raw-insn", library), re.M))
    for location in locations:
        check(instructions.get(location) == "nop", f"at {location} there is no nop but {instructions.get(location)}")
    check(len(set(locations)) == len(locations), "two probes share a place")
    print(f"{len(locations)} probes are a nop each")


def check_against_libc(library):
    libc = re.search(r"libc\.so\.6 => (\S+)", run("ldd", library)).group(1)
    theirs = {name: numbers for (provider, name), numbers in notes(libc)[0].items()
              if provider in ("libc", "libpthread") and name in GLIBC}
    for name, numbers in theirs.items():
        check(numbers == {GLIBC[name]}, f"{libc}'s {name} has {numbers} arguments, and the list here says {GLIBC[name]}")
    print(f"{libc} has {len(theirs)} of these probes" + ("" if theirs else ": it was built without, as Debian's is"))


def functions(objects):
    """{each of its names: a function's blocks of instructions}."""
    found = {}
    for path in objects:
        at = {}
        text = run("objdump", "-dr", "--no-show-raw-insn", path)
        for address, name, body in re.findall(r"^([0-9a-f]+) <([^>]+)>:\n((?:.+\n)+)", text, re.M):
            at[int(address, 16)] = normalise(body, name)
        for address, name in re.findall(r"^([0-9a-f]+) [tT] (\S+)", run("nm", path), re.M):
            if int(address, 16) in at:
                found[name] = at[int(address, 16)]
    return found


def normalise(body, function):
    """The function's straight pieces, each sorted: a probe may make the compiler swap two neighbours. Jumps go to numbers
    of instructions, and nops are left out, so that addresses make no difference."""
    lines, places = [], {}
    for line in body.splitlines():
        relocation = re.match(r"\s+[0-9a-f]+: (R_\S+)\s+(\S+)", line)
        instruction = re.match(r"\s*([0-9a-f]+):\s+([^#]*)", line)
        if relocation and lines:
            text = lines[-1].split()[0] if "<" in lines[-1] else lines[-1]
            lines[-1] = text + " " + re.sub(r"[+-]0x[0-9a-f]+$", "", relocation.group(2))
        elif instruction:
            text = instruction.group(2).strip()
            places[int(instruction.group(1), 16)] = len(lines)
            if not re.match(r"(nop|data16|xchg\s+%ax,%ax|cs nop)", text):
                lines.append(text)
    own = re.compile(r"\b([0-9a-f]+) <" + re.escape(function) + r"(\+0x[0-9a-f]+)?>")
    lines = [own.sub(lambda m: f"to {places.get(int(m.group(1), 16))}", line) for line in lines]
    lines = [re.sub(r"\b[0-9a-f]+ <([^>]+)>", r"<\1>", line) for line in lines]
    targets = {int(number) for line in lines for number in re.findall(r" to (\d+)$", line)}
    blocks = [[]]
    for i, line in enumerate(lines):
        if i in targets:
            blocks.append([])
        blocks[-1].append(line)
        if re.match(r"(j|call|ret|lock|xchg)", line):
            blocks.append([])
    return [sorted(block) for block in blocks if block]


def check_instructions(with_probes, without_probes):
    probed, plain = functions(with_probes), functions(without_probes)
    for name in FAST_PATHS:
        check(name in probed and name in plain, f"{name} was not found")
        if name in probed and name in plain:
            check(probed[name] == plain[name], f"{name} has other instructions with probes:\n" +
                  "\n".join(f"  {a}\n  {b}" for a, b in zip(probed[name], plain[name]) if a != b))
            print(f"{name}: {sum(map(len, plain[name]))} instructions with and without probes")
    others = [name for name in plain if name in probed and probed[name] != plain[name]]
    print(f"{len(plain) - len(others)} of {len(plain)} names have the same instructions; not {', '.join(sorted(others))}")


def main():
    provider, library, *objects = sys.argv[1:]
    middle = objects.index("--")
    without = objects[middle + 1:]
    names = {os.path.basename(path) for path in without}
    check_names(provider, library)
    check_nops(library)
    check_against_libc(library)
    check_instructions([path for path in objects[:middle] if os.path.basename(path) in names], without)
    for failure in failures:
        print("probes_test.py:", failure, file=sys.stderr)
    sys.exit(bool(failures))


main()
