# SPDX-License-Identifier: MIT OR Apache-2.0
"""The mutants of tests/model/mutants/: bugs put into copies of libplc's sources, which some scenario must notice.

tests/model/README.md describes the files. Each mutant is built from the objects that the build directory has already,
but for what the mutant changes."""

import concurrent.futures
import dataclasses
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import threading

# As failure_name() of the checker says them. Its own limits, and executions without end, are no findings.
FINDINGS = ("data race", "use after free", "deadlock or lost wake-up", "assertion", "crash")
KEYS = ("mutant", "bug", "programs", "noticed", "file")
# Most bugs show with hardly a preemption: that is looked at before the scenarios' own bounds.
FEW_PREEMPTIONS = ("--preemptions", "1", "--stale", "1", "--max-executions", "5000")
SECONDS = 120  # a mutant may loop without any step; the checker's own bounds end all others much earlier


class MutantError(Exception):
    """A mutant that is no longer what it was written as."""


@dataclasses.dataclass
class Hunk:
    file: str
    old: list = dataclasses.field(default_factory=list)
    new: list = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class Mutant:
    title: str
    origin: str  # the file that holds it
    bug: str = ""
    programs: tuple = ()
    noticed: tuple = FINDINGS
    hunks: list = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class Verdict:
    mutant: Mutant
    found: str = ""  # empty: nothing was
    scenario: str = ""
    executions: int = 0
    output: str = ""
    remark: str = ""

    @property
    def noticed(self):
        return self.found in self.mutant.noticed


# ---- Reading

def set_key(mutant, key, value, where):
    if key == "file":
        mutant.hunks.append(Hunk(value))
    elif key == "programs":
        mutant.programs = tuple(value.split())
    elif key == "noticed":
        mutant.noticed = tuple(value.split(", "))
        if not set(mutant.noticed) <= set(FINDINGS):
            raise MutantError(f"{where}: noticed as what? One of: {', '.join(FINDINGS)}")
    else:
        mutant.bug = value


def read_file(path):
    mutants = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        where = f"{path.name}:{number}"
        if not line or line.startswith("#"):
            continue
        if line[0] in " +-":
            if not mutants or not mutants[-1].hunks:
                raise MutantError(f"{where}: a line of source, but of which file?")
            if line[0] != "+":
                mutants[-1].hunks[-1].old.append(line[1:])
            if line[0] != "-":
                mutants[-1].hunks[-1].new.append(line[1:])
            continue
        key, separator, value = line.partition(": ")
        if key not in KEYS or not separator or (key != "mutant" and not mutants):
            raise MutantError(f"{where}: neither of {', '.join(KEYS)} nor a line of source")
        if key == "mutant":
            mutants.append(Mutant(value.strip(), path.name))
        else:
            set_key(mutants[-1], key, value.strip(), where)
    return mutants


def read(directory):
    mutants = [mutant for path in sorted(directory.glob("*.txt")) for mutant in read_file(path)]
    titles = [mutant.title for mutant in mutants]
    for mutant in mutants:
        if titles.count(mutant.title) > 1:
            raise MutantError(f"{mutant.origin}: two mutants are called '{mutant.title}'")
        if not mutant.programs or not mutant.hunks:
            raise MutantError(f"{mutant.origin}: '{mutant.title}' has no programs or no file")
    return mutants


# ---- Applying

def apply(mutant, root):
    """The changed files: path within the project -> text."""
    changed = {}
    for hunk in mutant.hunks:
        if hunk.file not in changed:
            if not (root / hunk.file).is_file():
                raise MutantError(f"{mutant.origin}: '{mutant.title}': there is no {hunk.file}")
            changed[hunk.file] = "\n" + (root / hunk.file).read_text()
        old, new = ("".join(f"\n{line}" for line in lines) + "\n" for lines in (hunk.old, hunk.new))
        count = len(re.findall(f"(?={re.escape(old)})", changed[hunk.file]))
        if not hunk.old or count != 1:
            raise MutantError(f"{mutant.origin}: '{mutant.title}': {count} places in {hunk.file} look like this, "
                              f"and it has to be one:{old}")
        changed[hunk.file] = changed[hunk.file].replace(old, new)
    return {file: text[1:] for file, text in changed.items()}


class Build:
    """How a program was made in the build directory, for doing some of it again."""

    def __init__(self, root, directory):
        self.root, self.directory = root.resolve(), directory.resolve()
        self.known, self.lock = {}, threading.Lock()

    def commands(self, program):
        """The arguments of the program's compiler calls, and of its linking."""
        with self.lock:
            if program not in self.known:
                listing = subprocess.run(["ninja", "-C", self.directory, "-t", "commands", f"model_{program}"],
                                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
                if listing.returncode:
                    raise MutantError(f"no program {program}: {listing.stdout.strip()}")
                commands = [shlex.split(line.removeprefix(": && ").removesuffix(" && :"))
                            for line in listing.stdout.splitlines() if "-o " in line]
                linking = commands[-1]
                compiling = [c for c in commands if "-c" in c and c[c.index("-o") + 1] in linking]
                self.known[program] = compiling, linking
        return self.known[program]

    def run(self, arguments, mutant):
        result = subprocess.run(arguments, cwd=self.directory, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                text=True, check=False)
        if result.returncode:
            raise MutantError(f"{mutant.origin}: '{mutant.title}' does not compile:\n{result.stdout}")

    def make(self, mutant, program, overlay, changed):
        """Builds the program with the changed files in place of the project's; returns its path."""
        compiling, linking = self.commands(program)
        linking = list(linking)
        with_header = any(file.endswith(".h") for file in changed)
        rebuilt = set()
        for number, command in enumerate(compiling):
            source = command[command.index("-c") + 1]
            inside = os.path.relpath(source, self.root)
            if inside not in changed and not with_header:
                continue
            rebuilt.add(inside)
            old_object, new_object = command[command.index("-o") + 1], str(overlay / f"{program}-{number}.o")
            self.run(self.recompile(command, overlay, overlay / inside if inside in changed else source, new_object),
                     mutant)
            linking[linking.index(old_object)] = new_object
        for file in changed:
            if file.endswith(".c") and file not in rebuilt:
                raise MutantError(f"{mutant.origin}: '{mutant.title}': {program} does not contain {file}")
        target = overlay / f"model_{program}"
        linking[linking.index("-o") + 1] = str(target)
        self.run(linking, mutant)
        return target

    @staticmethod
    def recompile(command, overlay, source, output):
        """The same call of the compiler for another source and object; changed headers are found first."""
        result = [command[0], f"-I{overlay / 'include'}", f"-I{overlay / 'src'}"]
        arguments = iter(command[1:])
        for argument in arguments:
            if argument in ("-MT", "-MF", "-o", "-c"):
                next(arguments)
            elif argument != "-MD":
                result.append(argument)
        return result + ["-o", output, "-c", str(source)]


# ---- Running

def search(mutant, program, stats, bounds):
    """Runs the program's scenarios until something is found in one of them."""
    stats.unlink(missing_ok=True)
    arguments = [program, "--until-failure", "--stats", stats, *bounds]
    verdict = Verdict(mutant)
    try:
        result = subprocess.run(arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=SECONDS,
                                check=False)
        verdict.output = result.stdout
        if result.returncode not in (0, 1):
            verdict.remark = f"{program.name} ended with {result.returncode}; "
    except subprocess.TimeoutExpired:
        verdict.remark = f"{program.name} did not end; "
    for line in stats.read_text().splitlines() if stats.exists() else ():
        scenario, _, _, executions, _, _, _, found = line.split("\t")
        if found in FINDINGS:
            verdict.found, verdict.scenario, verdict.executions = found, scenario, int(executions)
        elif found != "pass":
            verdict.remark += f"{found} in {scenario}; "
    return verdict


def try_mutant(build, mutant, limit):
    overlay = build.directory / "mutants" / re.sub(r"[^a-z0-9]+", "-", mutant.title.lower()).strip("-")
    shutil.rmtree(overlay, ignore_errors=True)
    changed = apply(mutant, build.root)
    for file, text in changed.items():
        (overlay / file).parent.mkdir(parents=True, exist_ok=True)
        (overlay / file).write_text(text)
    programs = {program: build.make(mutant, program, overlay, changed) for program in mutant.programs}
    for bounds in FEW_PREEMPTIONS, ("--max-executions", str(limit)):
        remarks = ""
        for program in programs.values():
            verdict = search(mutant, program, overlay / "stats.tsv", bounds)
            if verdict.found:
                return verdict
            remarks += verdict.remark
    verdict.remark = remarks
    return verdict


def attempt(build, mutant, limit):
    """A verdict, or the error that kept from it: all of them are to be seen, not the first."""
    try:
        return try_mutant(build, mutant, limit)
    except MutantError as error:
        return error


def run(root, directory, mutants, limit):
    """Verdicts and errors."""
    build = Build(root, directory)
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        results = list(pool.map(lambda mutant: attempt(build, mutant, limit), mutants))
    return ([r for r in results if isinstance(r, Verdict)], [r for r in results if isinstance(r, MutantError)])
