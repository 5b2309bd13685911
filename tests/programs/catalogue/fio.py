# SPDX-License-Identifier: MIT OR Apache-2.0
"""fio: jobs in processes and in threads, whose shared memory is full of process-shared locks."""

import json

from harness.program import Measure, Program, Result
from harness.run import Failure


VERIFIED = ("--rw=randwrite", "--verify=crc32c", "--do_verify=1", "--verify_fatal=1")


def jobs(run, kind, *options):
    """Four jobs, and what they say of themselves in the end."""
    report = run.path(f"{kind}.json")
    run.execute("fio", f"--name={kind}", f"--directory={run.directory}", f"--filename_format={kind}.$jobnum",
                "--ioengine=psync", "--bs=4k", f"--size={size_of(run)}M", "--numjobs=4", "--randseed=1",
                "--output-format=json", f"--output={report}", *options)
    with open(report, encoding="utf-8") as file:
        text = file.read()
    done = json.loads(text[text.index("{"):])["jobs"]
    found = sorted((job["jobname"], job["error"], job["write"]["io_bytes"], job["read"]["io_bytes"]) for job in done)
    return found, sum(job["write"]["iops"] for job in done)


def size_of(run):
    return run.amount(1, 16)


def verified_jobs(run, kind, *options):
    size = size_of(run) << 20
    found, rate = jobs(run, kind, *VERIFIED, *options)
    if found != [(kind, 0, size, size)] * 4:
        raise Failure(f"{kind}: job, error, bytes written and read back: {found}")
    return found, rate


def run_it(run):
    processes, first = verified_jobs(run, "processes")
    threads, second = verified_jobs(run, "threads", "--thread")
    return Result((processes, threads), [Measure("processes", first, "ops/s"), Measure("threads", second, "ops/s")])


PROGRAMS = [
    Program("fio", ("fio=fio",), "each of eight jobs, in processes and threads, reads back what it wrote (crc32c); four more have glibc's byte counts",
            run_it),
]
