# SPDX-License-Identifier: MIT OR Apache-2.0
"""Runs plc_bench in interleaved rounds, plain and preloaded, and writes the results. Called by scripts/bench."""
import argparse
import json
import os
import pathlib
import random
import re
import signal
import subprocess
import sys
import tempfile

import report

QUICK_PEERS = "libplc,glibc,std,parking_lot"
# Without --full only these of glibc's cells are run preloaded.
PRELOADED_QUICK = "^uncontended/"
ROOT = pathlib.Path(__file__).resolve().parents[2]


# Set by the first interrupt: what has been measured is still written.
interrupted = False


def on_interrupt(_signal, _frame):
    global interrupted
    interrupted = True
    signal.signal(signal.SIGINT, signal.SIG_DFL)


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


def list_cells(options, binary):
    """Every "cell/peer" that the binary has."""
    listed = subprocess.run([str(binary), "--benchmark_list_tests", matrix(options)], stdout=subprocess.PIPE,
                            stderr=subprocess.DEVNULL, text=True, check=True)
    return [line.rsplit("/", 2)[0] for line in listed.stdout.split()]


def matrix(options):
    return "--matrix=" + ("full" if options.full else "quick")


def run_binary(options, binary, extra, preload=None, quiet=False):
    """One process of plc_bench; returns its report."""
    environment = dict(os.environ)
    if preload:
        environment["LD_PRELOAD"] = str(preload)
    with tempfile.NamedTemporaryFile(suffix=".json") as out:
        command = [str(binary), "--json=" + out.name, "--duration-ms=%d" % options.duration_ms,
                   "--repeats=%d" % options.repeats, matrix(options)] + extra
        done = subprocess.run(command, env=environment, stderr=subprocess.PIPE if quiet else None, text=True,
                              check=False)
        # The dynamic linker only warns when it cannot preload, and the run would measure glibc twice.
        if done.returncode != 0 or "cannot be preloaded" in (done.stderr or ""):
            sys.exit("plc_bench failed (%d): %s" % (done.returncode, done.stderr or "see above"))
        return json.load(open(out.name))


def take_priority():
    """Above everybody else in the scheduler's eyes: a group of our own, and the highest weight in and of it."""
    try:
        os.setsid()
    except OSError:
        pass  # we lead a session already
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


def run_preloaded(options, binary, library, cells, prefix, flags):
    """glibc's loops with and without the drop-in, process by process, in shuffled order."""
    cells = [name for name in cells if re.search(options.filter or ".", prefix + name)]
    if not cells:
        return []
    wanted = "^(%s)$" % "|".join(map(re.escape, cells))
    shuffler = random.Random(options.seed)
    rows = []
    for number in range(options.rounds):
        if interrupted:
            break
        variants = [("glibc", None), ("libplc_pthread", library)]
        shuffler.shuffle(variants)
        for name, preload in variants:
            extra = ["--rounds=1", "--peers=glibc", "--benchmark_filter=" + wanted] + flags
            for row in run_binary(options, binary, extra, preload, quiet=True)["benchmarks"]:
                row["name"] = prefix + re.sub(r"/glibc$", "/" + name, row["name"])
                row["repetition_index"] = number
                rows.append(row)
        print("%s: round %d/%d" % (prefix.rstrip("/"), number + 1, options.rounds), file=sys.stderr)
    return rows


def measure(options):
    build = pathlib.Path(options.build)
    binary = build / "benchmarks/plc_bench"
    wanted = re.compile(options.filter or ".")
    peers = None if options.peers == "all" else options.peers.split(",")
    print("Seed %d, %d rounds of %d ms" % (options.seed, options.rounds, options.duration_ms), file=sys.stderr)
    context, rows = {}, []
    known = list_cells(options, binary)
    split = [name.rsplit("/", 1) for name in known]
    if any(wanted.search(cell) and (peers is None or peer in peers) for cell, peer in split):
        measured = run_plain(options, binary)
        context, rows = measured["context"], measured["benchmarks"]
    preloadable = re.compile("." if options.full else PRELOADED_QUICK)
    cells = [cell for cell, peer in split if peer == "glibc" and preloadable.search(cell)]
    single = [name for name in cells if name.startswith("uncontended/")]
    library = next(iter(sorted(build.glob("src/**/libplc_pthread.so"))), None)
    if library and not options.no_preload:
        rows += run_preloaded(options, binary, library.resolve(), cells, "preloaded/", [])
        rows += run_preloaded(options, binary, library.resolve(), single, "preloaded_one_thread/", ["--one-thread"])
    elif not options.no_preload:
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
    signal.signal(signal.SIGINT, on_interrupt)
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
