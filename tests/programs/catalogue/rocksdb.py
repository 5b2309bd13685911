# SPDX-License-Identifier: MIT OR Apache-2.0
"""rocksdb's db_bench: threads that write, flush, compact and read."""

import hashlib
import re

from harness.program import Measure, Program, Result
from harness.run import Failure

# A small write buffer, so that flushes and compactions go on all the time.
OPTIONS = ("--value_size=100", "--seed=1", "--compression_type=none", "--max_background_jobs=3")
SMALL = ("--write_buffer_size=262144",)


def bench(run, database, benchmarks, *options, on_locks=True):
    finished = run.execute("db_bench", f"--db={run.path(database)}", f"--benchmarks={benchmarks}", *OPTIONS, *options,
                           stdout=run.path("report"), on_locks=on_locks)
    with open(run.path("report"), encoding="utf-8", errors="replace") as file:
        report = file.read()
    if re.search("corrupt|error", report + finished.output, re.IGNORECASE):
        raise Failure(report + finished.output)
    return report.replace("\r", "\n")


def rate(report, name):
    found = re.search(rf"^{name}\s*:.*?(\d+) ops/sec", report, re.MULTILINE)
    if not found:
        raise Failure(f"no rate of {name} in:\n{report}")
    return Measure(name, float(found[1]), "ops/s")


def content(run, database):
    """A digest of every key and value, read on glibc."""
    run.client("ldb", f"--db={run.path(database)}", "scan", stdout=run.path("scan"))
    with open(run.path("scan"), "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def run_it(run):
    # One thread writes: what the database then holds is known.
    few = f"--num={run.amount(20000, 50000, 20000)}"
    bench(run, "known", "fillrandom,compact", few, "--threads=1", *SMALL)
    found = re.search(r"\((\d+) of \d+ found\)", bench(run, "known", "readrandom", few, "--use_existing_db=1"))
    # Several threads write, then read while another one writes. A read costs by how many levels the writers left behind,
    # and by how much of the processors the other one takes: so the reads begin in order, and that one writes at a given pace.
    many = (f"--num={run.amount(10000, 100000, 250000)}", "--threads=4",
            *run.amount(SMALL, SMALL, ("--write_buffer_size=4194304",)))
    written = bench(run, "many", "fillrandom,compact,waitforcompaction", *many)
    read = bench(run, "many", "readwhilewriting", *many, "--use_existing_db=1", "--benchmark_write_rate_limit=4000000")
    bench(run, "many", "verifychecksum", *many, "--use_existing_db=1", on_locks=False)
    return Result((found and found[1], content(run, "known")), [rate(written, "fillrandom"), rate(read, "readwhilewriting")])


PROGRAMS = [
    Program("db_bench", ("db_bench=rocksdb-tools",),
            "the database that one thread wrote holds glibc's keys and values, read on glibc; all checksums of the one "
            "that five threads wrote and read are right", run_it, is_bar=True),
]
