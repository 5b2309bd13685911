# SPDX-License-Identifier: MIT OR Apache-2.0
"""Proves that the torture driver and the fuzzer can fail: each bug of tests/torture/mutants/, put into a copy of the
library, must make one of them end with a failure. scripts/torture --mutants runs this.

The files are as tests/model/README.md describes, but "programs" names configurations of the torture driver, or "fuzz"."""

import argparse
import pathlib
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "scripts" / "lib"))
import model_mutants  # noqa: E402

PATIENCE = 5  # seconds without progress; the machine may be busy


class Build(model_mutants.Build):
    """The drivers link the library's objects themselves, so each of them can be replaced."""

    def commands(self, program):
        with self.lock:
            if program not in self.known:
                listing = subprocess.run(["ninja", "-C", self.directory, "-t", "commands", program], text=True,
                                         stdout=subprocess.PIPE, check=True).stdout
                commands = [shlex.split(line.removeprefix(": && ").removesuffix(" && :"))
                            for line in listing.splitlines() if "-o " in line]
                linking = commands[-1]
                self.known[program] = ([c for c in commands if "-c" in c and c[c.index("-o") + 1] in linking], linking)
        return self.known[program]


def configure(directory):
    flags = ["-DCMAKE_BUILD_TYPE=RelWithDebInfo", "-DPLC_BUILD_EXAMPLES=OFF", "-DPLC_BUILD_PTHREAD=OFF"]
    flags += [f"-DCMAKE_{language}_FLAGS_RELWITHDEBINFO=-O1 -g1" for language in ("C", "CXX")]
    subprocess.run(["cmake", "-S", ROOT, "-B", directory, "-G", "Ninja", *flags], check=True,
                   stdout=subprocess.DEVNULL)
    subprocess.run(["cmake", "--build", directory, "--target", *PROGRAMS], check=True, stdout=subprocess.DEVNULL)


PROGRAMS = ["plc_torture_tiny", "plc_fuzz_replay"]


def arguments_for(configuration, target, seconds, seed):
    if configuration == "fuzz":
        return [target, "--seconds", str(seconds), "--seed", str(seed)]
    return [target, "--config", configuration, "--seconds", str(seconds), "--patience", str(PATIENCE), "--operations",
            "5000", "--seed", str(seed)]


def how_it_ended(command, limit):
    """What went wrong, in a few words; empty if nothing did."""
    try:
        result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=limit, check=False)
    except subprocess.TimeoutExpired:
        return "did not end"
    output = result.stdout.decode(errors="replace")
    said = re.search(r"^(?:TORTURE FAILED.*?|FUZZ FAILED|libplc): .*", output, re.MULTILINE)
    if result.returncode == 0:
        return ""
    cause = signal.Signals(-result.returncode).name if result.returncode < 0 else f"status {result.returncode}"
    return said.group(0)[:110] if said else cause


def try_mutant(build, mutant, options):
    """What was noticed, and by which configuration; raises MutantError if the sources have no place for the bug."""
    overlay = build.directory / "mutants" / re.sub(r"[^a-z0-9]+", "-", mutant.title.lower()).strip("-")
    shutil.rmtree(overlay, ignore_errors=True)
    changed = model_mutants.apply(mutant, build.root)
    for file, text in changed.items():
        (overlay / file).parent.mkdir(parents=True, exist_ok=True)
        (overlay / file).write_text(text)
    for configuration in mutant.programs:
        program = "plc_fuzz_replay" if configuration == "fuzz" else "plc_torture_tiny"
        target = build.make(mutant, program, overlay, changed)
        command = arguments_for(configuration, target, options.seconds, options.seed)
        noticed = how_it_ended(command, options.seconds + 60)
        if noticed:
            return noticed
    return ""


def main():
    parser = argparse.ArgumentParser(prog="scripts/torture --mutants", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="only mutants with one of these in their title")
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build" / "torture-mutants")
    parser.add_argument("--seconds", type=int, default=20, help="how long a mutant may stay unnoticed")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    configure(options.build)
    build = Build(ROOT, options.build)
    mutants = [m for m in model_mutants.read(ROOT / "tests" / "torture" / "mutants")
               if not options.names or any(name in m.title for name in options.names)]
    missed = 0
    for number, mutant in enumerate(mutants, 1):
        begin = time.monotonic()
        try:
            noticed = try_mutant(build, mutant, options)
        except model_mutants.MutantError as error:
            noticed, mutant.title = "", f"{mutant.title}: {error}"
        missed += not noticed
        print(f"{number:3}/{len(mutants)} {'noticed' if noticed else 'MISSED '} {time.monotonic() - begin:5.1f} s  "
              f"{mutant.title}{f'  [{noticed}]' if noticed else ''}", flush=True)
    print(f"{len(mutants) - missed} of {len(mutants)} mutants noticed")
    return 1 if missed or not mutants else 0


if __name__ == "__main__":
    sys.exit(main())
