# SPDX-License-Identifier: MIT OR Apache-2.0
"""Draws the results with matplotlib: charts.py RESULTS.json FOLDER writes one SVG per family of workloads."""
import json
import pathlib
import sys

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt  # noqa: E402  (the backend has to be chosen first)
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator  # noqa: E402

from figures import PEER_ORDER, of_workload, parameters_of  # noqa: E402

# libplc in one strong colour, the others in quiet ones.
COLOURS = {"libplc": "#d81b60", "libplc_pthread": "#d81b60", "libplc_scalable": "#f48fb1", "glibc": "#37474f",
           "glibc_adaptive": "#b0bec5", "std": "#90a4ae", "parking_lot": "#6d9eeb", "rust_std": "#f6b26b",
           "absl": "#93c47d", "nsync": "#b4a7d6", "tbb": "#8d6e63",
           "tokio": "#00838f"}
MARKERS = dict(zip(PEER_ORDER, "ooDsPv^<>*XdHph"))
# std::mutex is glibc's and says nothing of its own in a picture.
NOT_DRAWN = {"std", "glibc_adaptive"}
# Keeps a figure readable where it lies over a neighbour's bar.
PLATE = {"facecolor": "white", "edgecolor": "none", "pad": 0.6}

plt.rcParams.update({"font.family": "DejaVu Sans", "font.size": 9, "svg.fonttype": "none", "svg.hashsalt": "plc",
                     "axes.spines.top": False, "axes.spines.right": False, "axes.axisbelow": True,
                     "axes.grid": True, "axes.grid.axis": "y", "grid.color": "#e4e4e4", "axes.titlesize": 10,
                     "figure.facecolor": "white", "savefig.facecolor": "white", "legend.frameon": False})


def plain_number(value, _position=None):
    """1200 -> 1.2k: readable on a logarithmic axis."""
    for limit, unit in ((1e6, "M"), (1e3, "k")):
        if value >= limit:
            return "%g%s" % (float("%.3g" % (value / limit)), unit)
    return "%g" % float("%.3g" % value)


def peers_of(cells):
    return [peer for peer in PEER_ORDER if peer not in NOT_DRAWN and any(peer in entries for entries in cells.values())]


def save(figure, folder, name):
    figure.savefig(folder / (name + ".svg"), metadata={"Date": None}, bbox_inches="tight", pad_inches=0.12)
    plt.close(figure)


def legend_below(figure, peers, handles, space):
    figure.legend(handles, peers, loc="upper center", bbox_to_anchor=(0.5, space), ncol=min(len(peers), 9),
                  columnspacing=1.4, handlelength=1.4)


def log_axis(axes, values):
    """Round numbers from a little below the least to a little above the largest value."""
    axes.set_yscale("log")
    low, high = min(values), max(values)
    axes.set_ylim(low / 1.35, high * 1.35)
    ticks = [step * 10 ** power for power in range(-2, 9) for step in (1, 2, 5)]
    ticks = [tick for tick in ticks if low / 1.35 <= tick <= high * 1.35]
    if len(ticks) > 9:
        ticks = [tick for tick in ticks if ("%e" % tick)[0] == "1"]
    elif len(ticks) < 3:
        ticks = [step * 10 ** power for power in range(-2, 9) for step in (1, 1.2, 1.5, 2, 3, 4, 5, 6, 8)]
        ticks = [tick for tick in ticks if low / 1.35 <= tick <= high * 1.35]
    axes.yaxis.set_major_locator(FixedLocator(ticks))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(plain_number))


def grouped_bars(axes, groups, peers, key="median", logarithmic=False, values_on_ours=True):
    """One group per (label, {peer: entry}), one bar per peer that has a value; ours carries its figure."""
    handles, drawn = {}, []
    for index, (_, entries) in enumerate(groups):
        present = [peer for peer in peers if entries.get(peer, {}).get(key) is not None]
        width = 0.84 / max(len(peers), 1)
        for place, peer in enumerate(present):
            value = entries[peer][key]
            drawn.append(value)
            x = index + (place - (len(present) - 1) / 2) * width
            handles[peer] = axes.bar(x, value, width * 0.92, color=COLOURS[peer])
            if peer.startswith("libplc") and values_on_ours:
                axes.annotate(plain_number(value), (x, value), xytext=(0, 2), textcoords="offset points", ha="center",
                              fontsize=7, color=COLOURS[peer], fontweight="bold", bbox=PLATE, zorder=5)
    axes.set_xticks(range(len(groups)), [label for label, _ in groups])
    axes.tick_params(axis="x", length=0)
    if logarithmic and drawn:
        log_axis(axes, drawn)
    return handles


def bar_chart(folder, name, title, panels, unit, logarithmic=False, columns=1, height=2.5, width=10.0):
    """A figure of panels (heading, groups) under one another or side by side, with one legend."""
    panels = [(heading, groups) for heading, groups in panels if groups]
    if not panels:
        return
    rows = -(-len(panels) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(width, height * rows + 0.7), squeeze=False,
                                layout="constrained")
    peers = peers_of(dict(enumerate(entries for _, groups in panels for _, entries in groups)))
    handles = {}
    for (heading, groups), panel in zip(panels, axes.flat):
        handles.update(grouped_bars(panel, groups, peers, logarithmic=logarithmic))
        panel.set_title(heading, loc="left")
        panel.set_ylabel(unit)
    for panel in axes.flat[len(panels):]:
        panel.set_visible(False)
    figure.suptitle(title, fontsize=12, fontweight="bold", x=0.01, ha="left")
    shown = [peer for peer in peers if peer in handles]
    legend_below(figure, shown, [handles[peer] for peer in shown], 0.0)
    save(figure, folder, name)


def groups_of(cells, workload, label, wanted=lambda parameters: True):
    """[(label of the cell, its peers)] of a workload's cells."""
    return [(label(parameters_of(name)), peers) for name, peers in of_workload(cells, workload).items()
            if wanted(parameters_of(name))]


def uncontended(cells, folder):
    names = {"lock_unlock": "lock + unlock", "try_lock_unlock": "try_lock + unlock", "try_lock_held": "try_lock, held",
             "read_unlock": "read lock + unlock", "write_unlock": "write lock + unlock", "once_done": "once, done"}
    groups = [(label, cells["uncontended/" + name]) for name, label in names.items() if "uncontended/" + name in cells]
    preloaded = [(label, cells["preloaded/uncontended/" + name]) for name, label in names.items()
                 if "preloaded/uncontended/" + name in cells]
    groups += [("random lock of\na million", peers) for name, peers in cells.items()
               if name == "random_lock/locks:1000000"]
    bar_chart(folder, "uncontended", "Nobody else wants the lock: nanoseconds, less is better",
              [("inlined, as for each library's own users", groups)], "ns", height=3.2)
    bar_chart(folder, "preloaded", "glibc's functions, and libplc preloaded in their place: ns, less is better",
              [("", preloaded)], "ns", width=7.5)


def line_panel(axes, cells, peers, key, across="threads", base=2):
    handles = {}
    for peer in reversed(peers):
        points = sorted((parameters_of(name)[across], entries[peer][key]) for name, entries in cells.items()
                        if peer in entries and key in entries[peer])
        if points:
            ours = peer.startswith("libplc")
            handles[peer], = axes.plot([x for x, _ in points], [y for _, y in points], color=COLOURS[peer],
                                       marker=MARKERS[peer], markersize=5 if ours else 4,
                                       linewidth=2.6 if ours else 1.3, zorder=3 if ours else 2)
    places = sorted({parameters_of(name)[across] for name in cells})
    axes.set_xscale("log", base=base)
    axes.xaxis.set_major_locator(FixedLocator(places))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(plain_number))
    return handles


def contended(cells, folder):
    part = of_workload(cells, "contended")
    if not part:
        return
    peers = peers_of(part)
    sections = sorted({parameters_of(name)["section"] for name in part})
    outsides = sorted({parameters_of(name)["outside"] for name in part})
    figure, axes = plt.subplots(len(outsides), len(sections), figsize=(10, 2.7 * len(outsides) + 0.7), squeeze=False,
                                layout="constrained")
    handles = {}
    for row, outside in enumerate(outsides):
        for column, section in enumerate(sections):
            panel = axes[row][column]
            chosen = {name: entries for name, entries in part.items()
                      if parameters_of(name)["section"] == section and parameters_of(name)["outside"] == outside}
            handles.update(line_panel(panel, chosen, peers, "median"))
            values = [entry["median"] for entries in chosen.values() for peer, entry in entries.items()
                      if peer in peers]
            log_axis(panel, values)
            panel.set_title("%s, %s outside" % (length(section, "section"), length(outside, "")), loc="left")
            if row == len(outsides) - 1:
                panel.set_xlabel("threads")
        axes[row][0].set_ylabel("ns per section")
    figure.suptitle("One mutex, many threads: less is better", fontsize=12, fontweight="bold", x=0.01, ha="left")
    shown = [peer for peer in peers if peer in handles]
    legend_below(figure, shown, [handles[peer] for peer in shown], 0.0)
    save(figure, folder, "contended")


def length(ns, what):
    if ns == 0:
        return "empty section" if what else "nothing"
    text = "%g us" % (ns / 1000) if ns >= 1000 else "%d ns" % ns
    return (text + " " + what).strip()


def fairness(cells, folder):
    """The same cells twice: what a section takes, and how evenly the threads got theirs."""
    chosen = groups_of(cells, "contended", lambda p: "%d threads\n%s" % (p["threads"], length(p["section"], "section")),
                       lambda p: p["threads"] in (16, 64) and p["section"] >= 100 and p["outside"] == 0)
    if not chosen:
        return
    peers = peers_of(dict(chosen))
    figure, axes = plt.subplots(3, 1, figsize=(10, 7.2), layout="constrained")
    for panel, key, heading in zip(axes, ("median", "processor_ns", "jain"),
                                   ("time per section, ns: less is better",
                                    "processor time per section, ns: less is better",
                                    "Jain's index: 1 is fair, 1/threads is one thread alone")):
        handles = grouped_bars(panel, chosen, peers, key, logarithmic=key != "jain")
        panel.set_title(heading, loc="left")
    axes[2].axhline(0.9, color="#9e9e9e", linewidth=0.8, linestyle="--")
    axes[2].set_ylim(0, 1.12)
    figure.suptitle("Fairness beside throughput", fontsize=12, fontweight="bold", x=0.01, ha="left")
    shown = [peer for peer in peers if peer in handles]
    legend_below(figure, shown, [handles[peer] for peer in shown], 0.0)
    save(figure, folder, "fairness")


def queues(cells, folder):
    def label(p):
        return "%dP %dC\ncapacity %d" % (p["producers"], p["consumers"], p["capacity"])
    panels = [("notified %s the lock" % how,
               groups_of(cells, "queue", label, lambda p, how=how: p["notify"] == how)) for how in ("under", "after")]
    bar_chart(folder, "queues", "Bounded queues: nanoseconds per item, less is better", panels, "ns per item",
              logarithmic=True)


def wakes(cells, folder):
    one_or_two = {1: "one processor", 2: "two processors"}
    groups = []
    for processors in (1, 2):
        groups += groups_of(cells, "condvar_ping_pong",
                            lambda p: "%s\ncondvar, %s" % (one_or_two[p["processors"]], p["notify"]),
                            lambda p, processors=processors: p["processors"] == processors)
        groups += groups_of(cells, "park_ping_pong", lambda p: "%s\nparker" % one_or_two[p["processors"]],
                            lambda p, processors=processors: p["processors"] == processors)
    bar_chart(folder, "ping_pong", "Two threads that wake each other: nanoseconds per round trip, less is better",
              [("notified under or after the lock", groups)], "ns", logarithmic=True, height=3.2)
    broadcast = groups_of(cells, "broadcast", lambda p: "%d waiters\nnotified %s" % (p["waiters"], p["notify"]))
    bar_chart(folder, "broadcast", "Broadcast: nanoseconds until all of the woken wait again, less is better",
              [("", broadcast)], "ns", logarithmic=True)


def growth(cells, folder):
    headings = {"growth_one_address": "all at one address", "growth_addresses": "each at an address of its own",
                "growth_one_bucket": "all addresses in one bucket"}
    parts = {heading: of_workload(cells, workload) for workload, heading in headings.items()}
    parts = {heading: part for heading, part in parts.items() if part}
    if not parts:
        return
    figure, axes = plt.subplots(1, len(parts), figsize=(10, 3.4), squeeze=False, layout="constrained")
    peers = peers_of({name: entries for part in parts.values() for name, entries in part.items()})
    handles = {}
    for panel, (heading, part) in zip(axes[0], parts.items()):
        handles.update(line_panel(panel, part, peers, "processor_ns", "waiters", 10))
        log_axis(panel, [entry["processor_ns"] for entries in part.values() for peer, entry in entries.items()
                         if peer in peers])
        panel.set_title(heading, loc="left")
        panel.set_xlabel("waiters")
    axes[0][0].set_ylabel("processor ns per wake")
    figure.suptitle("What a wake costs with many waiters: less is better", fontsize=12, fontweight="bold", x=0.01,
                    ha="left")
    shown = [peer for peer in peers if peer in handles]
    legend_below(figure, shown, [handles[peer] for peer in shown], 0.0)
    save(figure, folder, "growth")


def read_write(cells, folder):
    panels = [(length(section, "sections"),
               groups_of(cells, "rwlock", lambda p: "%d threads\n%d %% writes" % (p["threads"], p["writes"]),
                         lambda p, section=section: p["section"] == section)) for section in (0, 1000)]
    bar_chart(folder, "rwlock", "Read-write locks: nanoseconds per section, less is better", panels, "ns per section",
              logarithmic=True)


def main():
    results = json.loads(pathlib.Path(sys.argv[1]).read_text())
    folder = pathlib.Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    for draw in (uncontended, contended, fairness, queues, wakes, read_write, growth):
        draw(results["cells"], folder)


if __name__ == "__main__":
    main()
