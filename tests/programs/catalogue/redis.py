# SPDX-License-Identifier: MIT OR Apache-2.0
"""redis-server with threads for input and output, a saving child and Lua."""

import csv
import os
import pathlib
import time

from harness.program import Measure, Program, Result
from harness.run import Failure

SCRIPT = "local n = redis.call('incrby', 'lua', ARGV[1]); redis.call('hset', 'log', n, ARGV[1]); return n"


def start(run, on_locks=True, name="data"):
    os.makedirs(run.path(name), exist_ok=True)
    return run.serve(lambda port: (
        "redis-server", "--port", port, "--bind", "127.0.0.1", "--dir", run.path(name), "--io-threads", 2,
        "--io-threads-do-reads", "yes", "--save", "", "--appendonly", "no", "--daemonize", "no",
        "--enable-debug-command", "local"), on_locks=on_locks)


def ask(run, server, *command):
    run.client("redis-cli", "-p", server.port, *command, stdout=run.path("answer"))
    return pathlib.Path(run.path("answer")).read_text(errors="replace").strip()


def expect(run, server, command, wanted):
    found = ask(run, server, *command)
    if found != wanted:
        raise Failure(f"{' '.join(command)}: {found!r} and not {wanted!r}")


def benchmark(run, server, *arguments):
    """The throughput of each test of redis-benchmark."""
    table = run.path("table")
    run.client("redis-benchmark", "-p", server.port, "--csv", "-c", 20, "-P", 8, *arguments, stdout=table)
    with open(table, encoding="utf-8") as file:
        return {row["test"]: float(row["rps"]) for row in csv.DictReader(file)}


def save_in_a_child(run, server):
    """Forks while clients keep the threads busy; the child must get by with the locks as they were."""
    ask(run, server, "bgsave")
    benchmark(run, server, "-n", run.amount(2000, 20000), "-t", "get")
    deadline = time.monotonic() + run.limit
    while "rdb_bgsave_in_progress:0" not in ask(run, server, "info", "persistence"):
        if time.monotonic() > deadline:
            raise Failure("the forked child does not finish saving")
        time.sleep(0.05)  # redis tells only when asked
    if "rdb_last_bgsave_status:ok" not in ask(run, server, "info", "persistence"):
        raise Failure("the forked child did not save")


def run_it(run):
    count = run.amount(4000, 100000)
    server = start(run)
    rates = benchmark(run, server, "-n", count, "-r", 1000, "--threads", 2, "-t", "set,get,lpush,lpop")
    ask(run, server, "flushall")
    # From here on all that is stored is known beforehand, whatever the order of the clients.
    rates |= {"counting": sum(benchmark(run, server, "-n", count, "incr", "counter").values())}
    expect(run, server, ("get", "counter"), str(count))
    scripts = run.amount(1000, 20000)
    rates |= {"Lua": sum(benchmark(run, server, "-n", scripts, "eval", SCRIPT, "0", "3").values())}
    expect(run, server, ("get", "lua"), str(3 * scripts))
    expect(run, server, ("hlen", "log"), str(scripts))
    save_in_a_child(run, server)
    digest = ask(run, server, "debug", "digest")
    server.run.client("redis-cli", "-p", server.port, "shutdown", "nosave", statuses=(0, 1))
    server.join()
    # The child's file, read by a server on glibc's locks.
    reader = start(run, on_locks=False)
    expect(run, reader, ("debug", "digest"), digest)
    reader.stop()
    return Result(digest, [Measure(test, rates[test], "ops/s") for test in ("SET", "GET", "LPUSH", "counting", "Lua")])


PROGRAMS = [
    Program("redis", ("redis-server=redis-server", "redis-benchmark=redis-tools"),
            "exact counts by commands and by Lua; the file that a forked child saved under load, read on glibc, has "
            "the digest of the data in memory, which is glibc's", run_it),
]
