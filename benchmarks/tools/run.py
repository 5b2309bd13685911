# SPDX-License-Identifier: MIT OR Apache-2.0
"""Measures libplc beside its peers and writes JSON, tables and charts. Called by scripts/bench."""
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
import time

import figures
import report

QUICK_PEERS = "libplc,libplc_scalable,glibc,std,parking_lot,tokio"
# Of the growth matrix, whose cells are slow.
GROWTH_PEERS = {"libplc", "glibc", "parking_lot", "rust_std"}
GROWTH_ROUNDS = 3
# How plc_bench ends when a run does not.
STUCK = 3
# glibc's cells are run preloaded too: these in each round; with --full and --publish all others in a few.
UNCONTENDED = "^uncontended/"
PRELOADED_ROUNDS = 4
ROOT = pathlib.Path(__file__).resolve().parents[2]
RESULTS = ROOT / "benchmarks/results"
# rounds, milliseconds of a run, peers
SIZES = {"quick": (9, 70, QUICK_PEERS), "full": (15, 250, "all"), "publish": (9, 50, "all")}


# Set by the first interrupt: what has been measured is still written.
interrupted = False


def on_interrupt(_signal, _frame):
    global interrupted
    interrupted = True
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def parse_arguments():
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument("--build", default="build-bench", help=argparse.SUPPRESS)
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", dest="size", action="store_const", const="quick", default="quick",
                      help="the quick matrix, main peers (the default)")
    size.add_argument("--full", dest="size", action="store_const", const="full",
                      help="the full matrix, all peers, longer runs")
    size.add_argument("--publish", dest="size", action="store_const", const="publish",
                      help="what is committed: the quick matrix, all peers, everything preloaded, below 15 minutes; "
                           "writes benchmarks/results/MACHINE/ with the charts")
    parser.add_argument("--machine", help="the folder's name with --publish; default as in amd-2cpu")
    parser.add_argument("--filter", default="", help="only cells whose name matches this expression")
    parser.add_argument("--peers", help="comma-separated, or 'all'; default %s, with --full and --publish all" %
                        QUICK_PEERS)
    parser.add_argument("--rounds", type=int, help="default 9, with --full 15")
    parser.add_argument("--duration-ms", type=int, help="of each run; default 70, with --full 250, --publish 50")
    parser.add_argument("--repeats", type=int, default=1, help="repeat a disturbed run so often (default 1)")
    parser.add_argument("--seed", type=int, default=None, help="of the shuffling; printed")
    parser.add_argument("--priority", action="store_true",
                        help="run before all other work of the machine (as root): for one that is not quiet")
    parser.add_argument("--no-preload", action="store_true", help="leave the preloaded cells out")
    parser.add_argument("--no-growth", action="store_true", help="leave out what starts ten thousand threads")
    parser.add_argument("--output", help="path without suffix; default benchmarks/results/latest")
    parser.add_argument("--report-only", metavar="JSON",
                        help="print the report of an earlier run and draw its charts anew")
    options = parser.parse_args()
    rounds, duration, peers = SIZES[options.size]
    options.rounds = options.rounds or rounds
    options.duration_ms = options.duration_ms or duration
    options.peers = options.peers or peers
    if options.seed is None:
        options.seed = random.randrange(1 << 32)
    return options


class Stages:
    """Says which part of the whole is under way; plc_bench says how far it is within its own."""

    def __init__(self):
        self.begin = time.monotonic()

    def step(self, text):
        spent = int(time.monotonic() - self.begin)
        print("[%d:%02d] %s" % (spent // 60, spent % 60, text), file=sys.stderr)


def list_cells(matrix, binary):
    """Every (cell, peer) that the binary has."""
    listed = subprocess.run([str(binary), "--benchmark_list_tests", "--matrix=" + matrix], stdout=subprocess.PIPE,
                            stderr=subprocess.DEVNULL, text=True, check=True)
    return [tuple(line.rsplit("/", 2)[0].rsplit("/", 1)) for line in listed.stdout.split()]


def main_matrix(options):
    return "full" if options.size == "full" else "quick"


def chosen_peers(options):
    return None if options.peers == "all" else set(options.peers.split(","))


def run_binary(options, binary, matrix, extra, preload=None, quiet=False):
    """One process of plc_bench; returns its report."""
    environment = dict(os.environ)
    if preload:
        environment["LD_PRELOAD"] = str(preload)
    with tempfile.NamedTemporaryFile(suffix=".json") as out:
        command = [str(binary), "--json=" + out.name, "--duration-ms=%d" % options.duration_ms,
                   "--repeats=%d" % options.repeats, "--matrix=" + matrix] + extra
        done = subprocess.run(command, env=environment, stderr=subprocess.PIPE if quiet else None, text=True,
                              check=False)
        if done.returncode == STUCK:
            print("A run got stuck: its process's further rounds are missing", file=sys.stderr)
            return json.load(open(out.name))
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


def run_plain(options, binary, stages):
    """The main matrix, all rounds in one process."""
    wanted, peers = re.compile(options.filter or "."), chosen_peers(options)
    cells = list_cells(main_matrix(options), binary)
    if not any(wanted.search(cell) and (peers is None or peer in peers) for cell, peer in cells):
        return {"context": {}, "benchmarks": []}
    stages.step("The main matrix: %d rounds of %d ms runs" % (options.rounds, options.duration_ms))
    extra = ["--rounds=%d" % options.rounds, "--seed=%d" % options.seed]
    if options.filter:
        extra.append("--benchmark_filter=" + options.filter)
    if peers is not None:
        extra.append("--peers=" + options.peers)
    return run_binary(options, binary, main_matrix(options), extra)


def run_preloaded(options, binary, library, stages, prefix, wanted, flags, rounds):
    """glibc's loops with and without the drop-in, process by process, in shuffled order."""
    cells = [cell for cell, peer in list_cells(main_matrix(options), binary)
             if peer == "glibc" and re.search(wanted, cell) and re.search(options.filter or ".", prefix + cell)]
    if not cells:
        return []
    shuffler = random.Random(options.seed)
    rows = []
    for number in range(rounds):
        if interrupted:
            break
        stages.step("%s, %d cells: round %d of %d" % (prefix.rstrip("/"), len(cells), number + 1, rounds))
        variants = [("glibc", None), ("libplc_pthread", library)]
        shuffler.shuffle(variants)
        for name, preload in variants:
            extra = ["--rounds=1", "--no-waits", "--first-round=%d" % number, "--peers=glibc",
                     "--benchmark_filter=^(%s)$" % "|".join(map(re.escape, cells))] + flags
            for row in run_binary(options, binary, main_matrix(options), extra, preload, quiet=True)["benchmarks"]:
                row["name"] = prefix + re.sub(r"/glibc$", "/" + name, row["name"])
                rows.append(row)
    return rows


def run_growth(options, binary, stages):
    """A process for each round and peer: the tables of the lots never shrink, nor does the kernel's of a process's futexes,
    which libplc makes larger."""
    wanted, peers = re.compile(options.filter or "."), chosen_peers(options)
    peers = GROWTH_PEERS if peers is None else peers & GROWTH_PEERS
    cells = list_cells("growth", binary)
    if not any(wanted.search(cell) and peer in peers for cell, peer in cells):
        return []
    present = sorted({peer for cell, peer in cells if peer in peers and wanted.search(cell)})
    shuffler = random.Random(options.seed)
    rows, rounds = [], min(options.rounds, GROWTH_ROUNDS)
    for number in range(rounds):
        stages.step("Growth: round %d of %d" % (number + 1, rounds))
        shuffler.shuffle(present)
        for peer in present:
            if interrupted:
                return rows
            extra = ["--rounds=1", "--first-round=%d" % number, "--seed=%d" % (options.seed + number),
                     "--peers=" + peer, "--benchmark_filter=" + (options.filter or ".")]
            rows += run_binary(options, binary, "growth", extra)["benchmarks"]
    return rows


def measure(options):
    build = pathlib.Path(options.build)
    binary = build / "benchmarks/plc_bench"
    stages = Stages()
    print("Seed %d" % options.seed, file=sys.stderr)
    measured = run_plain(options, binary, stages)
    context, rows = measured["context"], measured["benchmarks"]
    library = next(iter(sorted(build.glob("src/**/libplc_pthread.so"))), None)
    if library and not options.no_preload:
        library = library.resolve()
        rows += run_preloaded(options, binary, library, stages, "preloaded/", UNCONTENDED, [], options.rounds)
        rows += run_preloaded(options, binary, library, stages, "preloaded_one_thread/", UNCONTENDED,
                              ["--one-thread"], options.rounds)
        if options.size != "quick":
            rows += run_preloaded(options, binary, library, stages, "preloaded/", "^(?!uncontended/)", [],
                                  min(options.rounds, PRELOADED_ROUNDS))
    elif not options.no_preload:
        print("No libplc_pthread.so: the preloaded cells are left out", file=sys.stderr)
    if not options.no_growth and not interrupted:
        rows += run_growth(options, binary, stages)
    if not rows:
        sys.exit("No cell matches %s" % options.filter)
    kept = ("date", "num_cpus", "duration_ms", "delay_turns_per_us")
    context = {key: context[key] for key in kept if key in context}
    context.update(seed=options.seed, machine=processor_name())
    stages.step("Measured")
    return {"context": context, "cells": figures.summarise(rows)}


def processor_name():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return "?"


def machine_folder():
    """As in amd-2cpu."""
    name = processor_name().lower()
    maker = next((each for each in ("intel", "amd", "arm") if each in name), "machine")
    return "%s-%dcpu" % (maker, len(os.sched_getaffinity(0)))


def as_text(results):
    """JSON with a line for each cell and peer, so that a difference can be read."""
    cells = []
    for name, peers in results["cells"].items():
        lines = ["   %s: %s" % (json.dumps(peer), json.dumps(entry, separators=(",", ":")))
                 for peer, entry in peers.items()]
        cells.append("  %s: {\n%s\n  }" % (json.dumps(name), ",\n".join(lines)))
    return '{\n "context": %s,\n "cells": {\n%s\n }\n}\n' % (json.dumps(results["context"]), ",\n".join(cells))


def draw_charts(path, folder):
    """By whichever Python has matplotlib: Debian's package belongs to Debian's Python."""
    for python in (sys.executable, "/usr/bin/python3"):
        if subprocess.run([python, "-c", "import matplotlib"], stderr=subprocess.DEVNULL, check=False).returncode == 0:
            tool = pathlib.Path(__file__).with_name("charts.py")
            subprocess.run([python, str(tool), str(path), str(folder)], check=True)
            return
    print("No matplotlib: no charts (apt install python3-matplotlib)", file=sys.stderr)


def write(results, options):
    """Returns where the JSON went."""
    if options.size == "publish" and not options.output:
        folder = RESULTS / (options.machine or machine_folder())
        path, charts = folder / "results.json", folder
    else:
        path = pathlib.Path(options.output or RESULTS / "latest").with_suffix(".json")
        charts = path.with_suffix("")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(as_text(results))
    path.with_suffix(".md").write_text(report.markdown(results) + "\n")
    draw_charts(path, charts)
    return path


def main():
    options = parse_arguments()
    if options.report_only:
        path = pathlib.Path(options.report_only)
        results = json.loads(path.read_text())
        text = report.markdown(results)
        path.with_suffix(".md").write_text(text + "\n")
        draw_charts(path, path.parent if path.name == "results.json" else path.with_suffix(""))
        print(text)
        return
    signal.signal(signal.SIGINT, on_interrupt)
    if options.priority:
        take_priority()
    results = measure(options)
    path = write(results, options)
    print(report.markdown(results, details=False))
    print("\nWritten to %s, .md, and charts beside it" % path)


if __name__ == "__main__":
    main()
