# SPDX-License-Identifier: MIT OR Apache-2.0
"""stress-ng's stressors of locks and threads, with its own checks."""

import re

from harness.program import Measure, Program, Result
from harness.run import Failure

STRESSORS = ("mutex", "pthread", "futex", "aio")


# Its time may be over before its threads have begun, on glibc as well; then it has tested nothing, and is asked again.
NOT_BEGUN = "could not create any pthreads"


def stress(run, name):
    for _ in range(10):
        report = run.execute("stress-ng", f"--{name}", 2, "--timeout", f"{run.amount(1, 3)}s", "--verify", "--temp-path",
                             run.directory, "--seed", 1, "--metrics-brief", statuses=(0, 3)).output
        if NOT_BEGUN not in report:
            return report
    raise Failure(report)


def run_it(run):
    measures = []
    for name in STRESSORS:
        report = stress(run, name)
        # Its columns: operations; seconds; of the user, of the system; operations per second of each.
        rate = re.search(rf"\] {name}\s+[0-9]+\s+[0-9.]+\s+[0-9.]+\s+[0-9.]+\s+([0-9.]+)\s", report)
        if not rate or "successful run completed" not in report or re.search("fail|error", report):
            raise Failure(report)
        measures.append(Measure(name, float(rate[1]), "ops/s"))
    return Result(STRESSORS, measures)


PROGRAMS = [
    Program("stress-ng", ("stress-ng=stress-ng",),
            "its stressors of mutexes, threads, futexes and asynchronous input and output find nothing wrong",
            run_it),
]
