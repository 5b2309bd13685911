# SPDX-License-Identifier: MIT OR Apache-2.0
"""Interpreters with threads: node, perl, ruby, and CPython under its own tests."""

import json
import os
import pathlib

from harness.program import Measure, Program, Result
from harness.run import Failure

SCRIPTS = pathlib.Path(__file__).resolve().parent.parent / "scripts"


def interpreted(interpreter, script, short, normal, check):
    """An interpreter with one of our scripts, which prints what came out: check(count, text) looks at it."""

    def run_it(run):
        count = run.amount(short, normal)
        finished = run.execute(*interpreter, SCRIPTS / script, count, stdout=run.path("out"))
        text = pathlib.Path(run.path("out")).read_text(encoding="utf-8").strip()
        if not check(count, text):
            raise Failure(f"{script} {count} says: {text}\n{finished.output}")
        return Result(text, [Measure("script", finished.seconds, "s")])

    return run_it


def check_node(count, text):
    result = json.loads(text)
    return result["atomic"] == result["guarded"] == 4 * count and len(set(result["digests"])) == 4


def squares(count):
    return count * (count + 1) * (2 * count + 1) // 6


def check_perl(count, text):
    return text == f"counter {count} sum {squares(count)} turn 200 in time 0 ended 0 1 2 3"


def check_ruby(count, text):
    return text == f"counter {count} sum {squares(count)} turn 200 timed out 10 written 20 child 0"


PYTHON = "/usr/bin/python3"  # Debian's, whose tests are a package

# Those that are about threads, locks and pools; the long ones only where there is time.
QUICK_SUITES = ("test_thread", "test_queue", "test_threading_local", "test_threadedtempfile")
SUITES = QUICK_SUITES + ("test_threading", "test_concurrent_futures", "test_threadsignals", "test_sched", "test_bz2",
                         "test_socketserver", "test_logging")


def run_python(run):
    """Every test must end as on glibc; a failure is a failure on either."""
    ends = run.path("ends.json")
    finished = run.execute(PYTHON, SCRIPTS / "python_suites.py", ends,
                           *run.amount(QUICK_SUITES, SUITES), limit=max(run.limit, 900))
    with open(ends, encoding="utf-8") as file:
        found = json.load(file)
    if len(found) < 50 or any(end in ("failure", "error") for end in found.values()):
        raise Failure(finished.output[-5000:])
    return Result(found, [Measure("suites", finished.seconds, "s")])


PROGRAMS = [
    Program("node", ("node=nodejs",), "exact counts by Atomics and by a lock in shared memory; digests of what the pool "
            "encrypted and packed are glibc's", interpreted(("node",), "worker_threads.js", 5000, 60000, check_node)),
    Program("perl", ("perl=perl",), "exact counts and sums through Thread::Queue, turns through cond_wait, a time-out",
            interpreted(("perl",), "threads.pl", 500, 4000, check_perl)),
    Program("ruby", ("ruby=ruby",), "exact counts and sums through queues, turns through ConditionVariable, Timeout, fork",
            interpreted(("ruby",), "threads.rb", 2000, 40000, check_ruby)),
    Program("python", (f"lib{os.path.basename(os.path.realpath(PYTHON))}-testsuite",),
            "CPython's own tests of threading, concurrent.futures, queue and others: every test ends as on glibc",
            run_python),
]
