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
        self.known, self.listed, self.lock = {}, {}, threading.Lock()

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

    def scenarios(self, program):
        """The names of a program's scenarios."""
        linking = self.commands(program)[1]
        with self.lock:
            if program not in self.listed:
                listing = subprocess.run([self.directory / linking[linking.index("-o") + 1], "--list"],
                                         stdout=subprocess.PIPE, text=True, check=False)
                self.listed[program] = set(listing.stdout.splitlines())
        return self.listed[program]

    def run(self, arguments, mutant):
        result = subprocess.run(arguments, cwd=self.directory, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                text=True, check=False)
        if result.returncode:
            raise MutantError(f"{mutant.origin}: '{mutant.title}' does not compile:\n{result.stdout}")

    def source_of(self, command):
        """What a call of the compiler compiles, as a path within the project."""
        return os.path.relpath(command[command.index("-c") + 1], self.root)

    def demand(self, mutant, program, changed):
        """That the program contains what is changed."""
        contained = {self.source_of(command) for command in self.commands(program)[0]}
        for file in changed:
            if file.endswith(".c") and file not in contained:
                raise MutantError(f"{mutant.origin}: '{mutant.title}': {program} does not contain {file}")

    def make(self, mutant, program, overlay, changed):
        """Builds the program with the changed files in place of the project's; returns its path."""
        compiling, linking = self.commands(program)
        linking = list(linking)
        with_header = any(file.endswith(".h") for file in changed)
        for number, command in enumerate(compiling):
            inside = self.source_of(command)
            if inside not in changed and not with_header:
                continue
            source = str(overlay / inside) if inside in changed else command[command.index("-c") + 1]
            old_object, new_object = command[command.index("-o") + 1], str(overlay / f"{program}-{number}.o")
            self.run(self.recompile(command, overlay, source, new_object), mutant)
            linking[linking.index(old_object)] = new_object
        target = overlay / f"model_{program}"
        linking[linking.index("-o") + 1] = str(target)
        self.run(linking, mutant)
        return target

    @staticmethod
    def recompile(command, overlay, source, output):
        """The same call of the compiler for another source and object; changed headers are found first, and the others
        that lie beside the source where they are."""
        beside = os.path.dirname(command[command.index("-c") + 1])
        result = [command[0], f"-I{overlay / 'include'}", f"-I{overlay / 'src'}", "-iquote", beside]
        arguments = iter(command[1:])
        for argument in arguments:
            if argument in ("-MT", "-MF", "-o", "-c"):
                next(arguments)
            elif argument != "-MD":
                result.append(argument)
        return result + ["-o", output, "-c", source]


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


class Attempt:
    """A mutant, with its programs built as they are needed."""

    def __init__(self, build, mutant):
        self.build, self.mutant, self.made = build, mutant, {}
        self.overlay = build.directory / "mutants" / re.sub(r"[^a-z0-9]+", "-", mutant.title.lower()).strip("-")
        shutil.rmtree(self.overlay, ignore_errors=True)
        self.changed = apply(mutant, build.root)
        for file, text in self.changed.items():
            (self.overlay / file).parent.mkdir(parents=True, exist_ok=True)
            (self.overlay / file).write_text(text)
        for program in mutant.programs:
            build.demand(mutant, program, self.changed)

    def search(self, program, bounds):
        if program not in self.made:
            self.made[program] = self.build.make(self.mutant, program, self.overlay, self.changed)
        return search(self.mutant, self.made[program], self.overlay / "stats.tsv", bounds)


def searches(build, mutant, limit, likely):
    """What is searched, in this order, until something is found: first the scenario that is likely to find it."""
    bounds = FEW_PREEMPTIONS, ("--max-executions", str(limit))
    for program in mutant.programs:
        if likely in build.scenarios(program):
            yield from ((program, ("--only", likely, *each), False) for each in bounds)
    yield from ((program, each, each is bounds[-1]) for each in bounds for program in mutant.programs)


def try_mutant(build, mutant, limit, likely):
    attempted = Attempt(build, mutant)
    remarks = ""
    for program, bounds, is_remarked in searches(build, mutant, limit, likely):
        verdict = attempted.search(program, bounds)
        if verdict.found:
            return verdict
        remarks += verdict.remark if is_remarked else ""
    verdict.remark = remarks
    return verdict


def attempt(build, mutant, limit, likely):
    """A verdict, or the error that kept from it: all of them are to be seen, not the first."""
    try:
        return try_mutant(build, mutant, limit, likely)
    except MutantError as error:
        return error


def run(root, directory, mutants, limit, likely=None):
    """Verdicts and errors. likely: {title: the scenario that noticed it the last time}."""
    build, likely = Build(root, directory), likely or {}
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        results = list(pool.map(lambda mutant: attempt(build, mutant, limit, likely.get(mutant.title)), mutants))
    return ([r for r in results if isinstance(r, Verdict)], [r for r in results if isinstance(r, MutantError)])
