# SPDX-License-Identifier: MIT OR Apache-2.0
"""The results as Markdown: the bars with their verdicts, the medians, and what stands beside them."""
from bars import all_bars
from figures import PEER_ORDER, best_peer, geometric_mean, of_workload, our_name, ratio, workload_of

# What the detail table shows beside throughput: (heading, key, divisor, format).
DETAILS = (("ns", "median", 1, "number"), ("spread", "spread", 0.01, "%.0f %%"),
           ("processor ns", "processor_ns", 1, "number"), ("switches", "switches", 1, "%.3g"),
           ("Jain", "jain", 1, "%.3f"), ("slowest", "slowest_share", 1, "%.3f"),
           ("p50 us", "wait_p50_ns", 1e3, "number"), ("p99 us", "wait_p99_ns", 1e3, "number"),
           ("p99.9 us", "wait_p999_ns", 1e3, "number"), ("longest ms", "wait_max_ns", 1e6, "%.2f"),
           ("writes/s", "writes_per_second", 1, "number"), ("reads/s", "reads_per_second", 1, "number"),
           ("bytes per thread", "alive_bytes", 1, "number"), ("bytes left", "left_bytes", 1, "number"))


def number(value):
    if value is None:
        return ""
    if value >= 1e5:
        return "%.0f" % value
    return "%.3g" % value if value < 100 else "%.0f" % value


def two(value):
    return "" if value is None else "%.2f" % value


def row(fields):
    return "| " + " | ".join(fields) + " |"


def bars_table(cells):
    lines = ["## Bars", "", "Ratios are to the fastest peer of the cell whose Jain's index is at least 0.9.", "",
             "| bar | limit | measured | | where |", "|---|---:|---:|---|---|"]
    for bar in all_bars(cells):
        measured = "" if bar.value is None else ("%.2f" if bar.value < 100 else "%.0f") % bar.value
        limit = "" if bar.limit is None else (">= " if bar.at_least else "<= ") + "%g" % bar.limit
        if bar.value is not None and bar.limit is not None and bar.limit < 0.1:
            measured = "%.3g" % bar.value
        lines.append(row([bar.text, limit, measured, bar.verdict, bar.note]))
    return lines + control(of_workload(cells, "contended")) + [""]


def control(contended):
    """std::mutex calls glibc's functions: how far apart the two are is what the figures are worth."""
    ratios = sorted(value for value in (ratio(peers, "std", "glibc") for peers in contended.values()) if value)
    if not ratios:
        return []
    return ["", "Control: std::mutex, which is glibc's, to glibc: %.2f to %.2f over the contended cells, geometric "
            "mean %.2f. A ratio within that range may be chance." % (ratios[0], ratios[-1], geometric_mean(ratios))]


def losses(cells):
    """Where libplc is slower than the best peer by more than a tenth."""
    found = []
    for name, peers in cells.items():
        ours, best = our_name(peers), best_peer(peers)
        value = ratio(peers, ours, best) if ours and best else None
        if value is not None and value > 1.1:
            found.append((value, name, best))
    lines = ["## Where libplc loses", ""]
    if not found:
        return lines + ["In no cell it takes more than 1.1 times as long as the best peer.", ""]
    lines += ["Cells in which it takes more than 1.1 times as long as the best peer:", "",
              "| cell | ratio | best peer |", "|---|---:|---|"]
    return lines + [row([name, two(value), best]) for value, name, best in sorted(found, reverse=True)] + [""]


def table(cells, workload):
    part = of_workload(cells, workload)
    peers = [peer for peer in PEER_ORDER if any(peer in entries for entries in part.values())]
    compared = [peer for peer in ("glibc", "parking_lot") if peer in peers]
    lines = ["## " + workload, "",
             row(["cell"] + peers + ["ratio to " + peer for peer in compared] + ["ratio to the best", "best"]),
             "|---|" + "---:|" * (len(peers) + len(compared) + 1) + "---|"]
    ratios = {peer: [] for peer in compared + ["best"]}
    for name, entries in part.items():
        ours, best = our_name(entries), best_peer(entries)
        fields = [name.split("/", 1)[1]] + [number(entries.get(peer, {}).get("median")) for peer in peers]
        for peer in compared:
            ratios[peer].append(ratio(entries, ours, peer))
        ratios["best"].append(ratio(entries, ours, best))
        lines.append(row(fields + [two(ratios[peer][-1]) for peer in ratios] + [best or ""]))
    means = [two(geometric_mean(ratios[peer])) for peer in ratios]
    lines.append(row(["geometric mean"] + [""] * len(peers) + means + [""]))
    return lines + [""]


def formatted(entry, key, divisor, how):
    if key not in entry:
        return ""
    value = entry[key] / divisor
    return number(value) if how == "number" else how % value


def detail_table(cells, workload):
    """What stands beside throughput: processor time, fairness, waits."""
    part = of_workload(cells, workload)
    entries = [entry for peers in part.values() for entry in peers.values()]
    if not any("processor_ns" in entry for entry in entries):
        return []
    columns = [column for column in DETAILS if any(column[1] in entry for entry in entries)]
    lines = ["### %s: processor time per operation, fairness, waits" % workload, "",
             row(["cell", "peer"] + [column[0] for column in columns]), "|---|---|" + "---:|" * len(columns)]
    for name, peers in part.items():
        for peer in PEER_ORDER:
            if peer in peers:
                lines.append(row([name.split("/", 1)[1], peer] +
                                 [formatted(peers[peer], *column[1:]) for column in columns]))
    return lines + [""]


def header(results):
    cells, context = results["cells"], results["context"]
    entries = [entry for peers in cells.values() for entry in peers.values()]
    lines = ["# libplc beside its peers", "",
             "%s, %s processors, %s; up to %d shuffled rounds of %s ms runs, seed %s. Medians in nanoseconds per "
             "operation; ratios are medians of libplc's time divided by the peer's in the same round; below 1 libplc "
             "is faster." % (context.get("machine", "?"), context.get("num_cpus", "?"), context.get("date", "?"),
                             max(len(entry["rounds"]) for entry in entries), context.get("duration_ms", "?"),
                             context.get("seed", "?"))]
    disturbed, total = sum(entry["disturbed"] for entry in entries), sum(len(entry["rounds"]) for entry in entries)
    if disturbed:
        lines.append("**%d of %d runs were disturbed by other work on the machine.**" % (disturbed, total))
    return lines + [""]


def markdown(results, details=True):
    cells = results["cells"]
    workloads = list(dict.fromkeys(workload_of(cell) for cell in cells))
    lines = header(results) + bars_table(cells) + losses(cells)
    for workload in workloads:
        lines += table(cells, workload)
    for workload in workloads if details else []:
        lines += detail_table(cells, workload)
    return "\n".join(lines).rstrip()
