# SPDX-License-Identifier: MIT OR Apache-2.0
"""Runs plc_bench in interleaved rounds, plain and preloaded, and writes the results. Called by scripts/bench."""
import argparse
import json
import os
import pathlib
import random
import re
import subprocess
import sys
import tempfile

import report

QUICK_PEERS = "libplc,glibc,std,parking_lot"
ROOT = pathlib.Path(__file__).resolve().parents[2]


def parse_arguments():
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument("--build", default="build-bench", help=argparse.SUPPRESS)
    parser.add_argument("--quick", action="store_true", help="the quick matrix, main peers (the default)")
    parser.add_argument("--full", action="store_true", help="the full matrix, all peers, longer runs")
    parser.add_argument("--filter", default="", help="only cells whose name matches this expression")
    parser.add_argument("--peers", help="comma-separated, or 'all'; default %s, with --full all" % QUICK_PEERS)
    parser.add_argument("--rounds", type=int, help="default 9, with --full 15")
    parser.add_argument("--duration-ms", type=int, help="of each run; default 100, with --full 250")
    parser.add_argument("--repeats", type=int, default=1, help="repeat a disturbed run so often (default 1)")
    parser.add_argument("--seed", type=int, default=None, help="of the shuffling; printed")
    parser.add_argument("--priority", action="store_true",
                        help="run before all other work of the machine (as root): for one that is not quiet")
    parser.add_argument("--no-preload", action="store_true", help="leave the preloaded cells out")
    parser.add_argument("--output", default=str(ROOT / "benchmarks/results/latest"), help="path without suffix")
    parser.add_argument("--report-only", metavar="JSON", help="print the report of an earlier run")
    options = parser.parse_args()
    options.rounds = options.rounds or (15 if options.full else 9)
    options.duration_ms = options.duration_ms or (250 if options.full else 100)
    options.peers = options.peers or ("all" if options.full else QUICK_PEERS)
    if options.seed is None:
        options.seed = random.randrange(1 << 32)
    return options


def run_binary(options, binary, extra, preload=None):
    """One process of plc_bench; its report, or None if no cell matched."""
    environment = dict(os.environ)
    if preload:
        environment["LD_PRELOAD"] = str(preload)
    with tempfile.NamedTemporaryFile(suffix=".json") as out:
        command = [str(binary), "--json=" + out.name, "--duration-ms=%d" % options.duration_ms,
                   "--repeats=%d" % options.repeats, "--matrix=" + ("full" if options.full else "quick")] + extra
        quiet = subprocess.PIPE if "--rounds=1" in extra else None
        done = subprocess.run(command, env=environment, stderr=quiet, text=True, check=False)
        if quiet and "cannot be preloaded" in (done.stderr or ""):
            sys.exit(done.stderr)
        if done.returncode == 2 and os.path.getsize(out.name) == 0:
            return None
        if done.returncode != 0:
            sys.exit("plc_bench failed (%d): %s" % (done.returncode, done.stderr or "see above"))
        return json.load(open(out.name))


def take_priority():
    """Above everybody else in the scheduler's eyes: a group of our own, and the highest weight in and of it."""
    try:
        os.setsid()
    except OSError:
        pass  # we lead a group already
    try:
        os.nice(-20)
        pathlib.Path("/proc/self/autogroup").write_text("-20")
    except OSError as error:
        print("No priority over other work: %s" % error, file=sys.stderr)


def run_plain(options, binary):
    extra = ["--rounds=%d" % options.rounds, "--seed=%d" % options.seed]
    if options.filter:
        extra.append("--benchmark_filter=" + options.filter)
    if options.peers != "all":
        extra.append("--peers=" + options.peers)
    return run_binary(options, binary, extra)


def run_preloaded(options, binary, library):
    """The glibc loops with and without the drop-in, process by process, in shuffled order."""
    shuffler = random.Random(options.seed)
    rows = []
    for number in range(options.rounds):
        variants = [("glibc", None), ("libplc_pthread", library)]
        shuffler.shuffle(variants)
        for name, preload in variants:
            extra = ["--rounds=1", "--peers=glibc", "--benchmark_filter=^uncontended/"]
            for row in run_binary(options, binary, extra, preload)["benchmarks"]:
                row["name"] = "preloaded/" + re.sub(r"/glibc$", "/" + name, row["name"])
                row["repetition_index"] = number
                rows.append(row)
        print("preloaded: round %d/%d" % (number + 1, options.rounds), file=sys.stderr)
    return rows


def measure(options):
    build = pathlib.Path(options.build)
    binary = build / "benchmarks/plc_bench"
    print("Seed %d, %d rounds of %d ms" % (options.seed, options.rounds, options.duration_ms), file=sys.stderr)
    measured = run_plain(options, binary)
    context = measured["context"] if measured else {}
    rows = measured["benchmarks"] if measured else []
    library = next(iter(sorted(build.glob("**/libplc_pthread.so"))), None)
    wanted = not options.no_preload and re.search(options.filter or ".", "preloaded/uncontended/lock_unlock")
    if wanted and library:
        rows += run_preloaded(options, binary, library.resolve())
    elif wanted:
        print("No libplc_pthread.so: the preloaded cells are left out", file=sys.stderr)
    if not rows:
        sys.exit("No cell matches %s" % options.filter)
    context["seed"] = options.seed
    return {"context": context, "cells": report.summarise(rows)}


def main():
    options = parse_arguments()
    if options.report_only:
        print(report.markdown(json.load(open(options.report_only))))
        return
    if options.priority:
        take_priority()
    results = measure(options)
    output = pathlib.Path(options.output)
    output.parent.mkdir(parents=True, exist_ok=True)
    output.with_suffix(".json").write_text(json.dumps(results, indent=1) + "\n")
    text = report.markdown(results)
    output.with_suffix(".md").write_text(text + "\n")
    print(text)
    print("\nWritten to %s and .md" % output.with_suffix(".json"))


if __name__ == "__main__":
    main()
