# SPDX-License-Identifier: MIT OR Apache-2.0
"""Suites of tests of pthread that were not written for libplc: glibc's own, and the Open POSIX Test Suite.

Both come as sources only, so they are fetched from Debian and compiled once. Every test has to end on libplc as it does on
glibc, with the same exit status."""

import os
import re
import shutil
import signal
import subprocess
import time

from harness import source_package
from harness.program import Measure, Program, Result
from harness.run import Failure, Hang


LIMIT = 100  # seconds for one test; one that hangs on glibc has to on libplc
PARALLEL = 32  # most of them sleep most of the time

GLIBC_TESTS = re.compile("tst-.*(mutex|cond|rwlock|once|cnd|mtx|cancel|robust|cleanup|fork|barrier|sem|exec|signal|key|tss|thrd|join)")
# Not compiled outside of glibc, or about something else, or their result depends on time and load, on glibc too.
GLIBC_LEFT_OUT = re.compile("time64|-static|mod")

POSIX_TESTS = re.compile("pthread_(mutex|cond|rwlock|once|cancel|setcanceltype|cleanup|key|atfork)")

# What glibc's tests expect of the folder in which glibc is built.
PREFIX = """
#define _ISOMAC 1
#define MODULE_NAME testsuite
#define attribute_hidden
#define TIMEOUTFACTOR 10
#include <limits.h>
#include <sys/socket.h>
"""
PLACES = ("SRCDIR", "OBJDIR", "OBJDIR_ELF_LDSO", "INSTDIR", "LIBDIR", "BINDIR", "SBINDIR", "SLIBDIR", "ROOTSBINDIR",
          "COMPLOCALEDIR", "SYSCONFDIR")
STACK = "#include <elf.h>\n#define _STACK_GROWS_DOWN 1\n#define DEFAULT_STACK_PERMS (PF_R | PF_W)\n"


def compile_all(commands):
    """Runs compilers, two at a time; failures are no news: what cannot be built is not run."""
    running = []
    for command in commands:
        if len(running) >= (os.cpu_count() or 1):
            running.pop(0).wait()
        running.append(subprocess.Popen([str(part) for part in command], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
    for child in running:
        child.wait()


def build_glibc_tests(directory):
    sources = next(source_package.fetch("glibc", lambda name: re.search(
        "/(support|include|nptl|sysdeps/pthread)/[^/]*$|/test-skeleton.c$", name)).iterdir())
    include = directory / "include"
    include.mkdir()
    (include / "prefix.h").write_text(PREFIX)
    (include / "stackinfo.h").write_text(STACK)
    for name in ("config.h", "libc-symbols.h"):
        (include / name).write_text("")
    for name in ("libc-diag.h", "array_length.h", "intprops.h", "verify.h"):
        (include / name).write_text((sources / "include" / name).read_text())
    compiler = ["gcc", "-O1", "-w", "-std=gnu11", "-D_GNU_SOURCE", "-fexceptions", "-include", include / "prefix.h"]
    compiler += [f"-I{folder}" for folder in (include, sources, sources / "support", sources / "sysdeps/pthread",
                                              sources / "nptl")]
    compiler += [f'-D{place}_PATH="/nowhere"' for place in PLACES]
    objects = directory / "support"
    objects.mkdir()
    compile_all([*compiler, "-c", file, "-o", objects / f"{file.stem}.o"] for file in sorted((sources / "support").glob("*.c"))
                if not re.match("tst-|.*container|test-(driver|run-command)|links-dso|.*time64", file.name))
    subprocess.run(["ar", "rcs", directory / "libsupport.a", *objects.glob("*.o")], check=True)
    tests = [file for folder in ("sysdeps/pthread", "nptl") for file in sorted((sources / folder).glob("tst-*.c"))
             if GLIBC_TESTS.match(file.stem) and not GLIBC_LEFT_OUT.search(file.stem)]
    compile_all([*compiler, file, "-o", directory / file.stem, directory / "libsupport.a", "-lrt"] for file in tests)


def build_posix_tests(directory):
    sources = next(source_package.fetch("posixtestsuite", lambda name: True).iterdir())
    tests = [file for file in sorted((sources / "conformance" / "interfaces").glob("pthread_*/*-*.c"))
             if POSIX_TESTS.match(file.parent.name)]
    compile_all(["gcc", "-O1", "-w", "-std=gnu99", "-D_GNU_SOURCE", f"-I{sources / 'include'}", f"-I{file.parent}", file,
                 "-o", directory / f"{file.parent.name}.{file.stem}", "-lrt"] for file in tests)


def built(name, build):
    """The tests' programs; they are compiled once, and kept beside their sources."""
    directory = source_package.SOURCES / f"{name}-built"
    if not directory.exists():
        fresh = directory.with_suffix(".fresh")
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(parents=True)
        build(fresh)
        fresh.rename(directory)
    return sorted(path for path in directory.iterdir() if path.is_file() and os.access(path, os.X_OK))


def run_in_parallel(run, tests):
    """Of each test: its exit status."""
    statuses, running = {}, []

    def end_one():
        test, child = running.pop(0)
        try:
            statuses[test.name] = run.wait(child, LIMIT)
        except Hang:
            statuses[test.name] = "no end"
            os.killpg(child.pid, signal.SIGKILL)
            run.wait(child)

    for test in tests:
        if len(running) == PARALLEL:
            end_one()
        running.append((test, run.start((test,), run.path(f"{test.name}.log"))))
    while running:
        end_one()
    return statuses


def suite(name, build, fewest, left_out):
    def run_it(run):
        tests = [test for test in built(name, build) if test.name not in left_out]
        if len(tests) < fewest:
            raise Failure(f"only {len(tests)} tests could be built")
        start = time.monotonic()
        statuses = run_in_parallel(run, tests)
        if sum(status == 0 for status in statuses.values()) < fewest:
            raise Failure(f"too few tests succeed: {statuses}")
        return Result(statuses, [Measure("suite", time.monotonic() - start, "s")])

    return run_it


# Not run, and why.
GLIBC_EXCEPTIONS = {
    "tst-cancel7": "its child posts a semaphore before it takes the lock that is then looked for: a race, on glibc as well",
    "tst-cancelx7": "the same",
}
POSIX_EXCEPTIONS = {
    "pthread_cond_init.1-3": "two processes use private conds, which is undefined; its result changes on glibc",
    "pthread_cond_broadcast.1-2": "takes minutes",
    "pthread_rwlock_unlock.4-1": "wants 0 or EINVAL from the unlock of a free rwlock, where POSIX now recommends EPERM",
}

PROGRAMS = [
    Program("glibc-tests", ("gcc=gcc", "libc6-dev"), "glibc's own tests of threads, as far as they can be built alone: "
            "every test ends as on glibc", suite("glibc-tests", build_glibc_tests, 150, GLIBC_EXCEPTIONS)),
    Program("posix-tests", ("gcc=gcc", "libc6-dev"), "the Open POSIX Test Suite's tests of locks, cancellation and keys: "
            "every test ends as on glibc", suite("posix-tests", build_posix_tests, 100, POSIX_EXCEPTIONS)),
]
