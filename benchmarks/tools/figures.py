# SPDX-License-Identifier: MIT OR Apache-2.0
"""Medians, ratios and best peers out of the rows of plc_bench."""
import math
import statistics

# libplc under its names: itself, in glibc's place, and its lock for many readers.
OURS = ("libplc", "libplc_pthread", "libplc_scalable")
PEER_ORDER = ["libplc", "libplc_pthread", "libplc_scalable", "glibc", "glibc_adaptive", "std", "parking_lot",
              "rust_std", "tokio", "absl", "nsync", "tbb"]
# A run during which others had more of the processors than this is marked.
FOREIGN_LIMIT = 0.12
# A peer that starves its threads is no yardstick.
FAIR_JAIN = 0.9
MEDIANS = ("processor_ns", "switches", "jain", "slowest_share", "reads_share", "writes_per_second", "reads_per_second",
           "wait_p50_ns", "wait_p99_ns", "wait_p999_ns", "alive_bytes", "left_bytes")


def shortened(value):
    """Four digits are more than any of this is good for."""
    return float("%.4g" % value)


def summarise(rows):
    """{cell: {peer: {"rounds": {round: ns}, "processor_rounds": {round: ns}, "median": ns, ...}}}"""
    grouped = {}
    for row in rows:
        cell, peer = row["name"].rsplit("/", 1)
        grouped.setdefault(cell, {}).setdefault(peer, []).append(row)
    return {cell: {peer: summary(peer, of_peer) for peer, of_peer in peers.items()} for cell, peers in grouped.items()}


def summary(peer, rows):
    """One peer's runs of one cell."""
    times = [row["real_time"] for row in rows]
    entry = {"rounds": {str(row["repetition_index"]): shortened(row["real_time"]) for row in rows},
             "median": shortened(statistics.median(times)), "spread": shortened(quartile_spread(times))}
    # Only these two are ever compared by their processor time.
    if peer in OURS + ("glibc",) and all("processor_ns" in row for row in rows):
        entry["processor_rounds"] = {str(row["repetition_index"]): shortened(row["processor_ns"]) for row in rows}
    for key in MEDIANS:
        values = [row[key] for row in rows if key in row]
        if values:
            entry[key] = shortened(statistics.median(values))
    waits = [row["wait_max_ns"] for row in rows if "wait_max_ns" in row]
    if waits:
        entry["wait_max_ns"] = shortened(max(waits))
    entry["disturbed"] = sum(row.get("foreign_share", 0) > FOREIGN_LIMIT for row in rows)
    return entry


def quartile_spread(values):
    """The middle half's width as a share of the median."""
    if len(values) < 3:
        return 0.0
    low, middle, high = statistics.quantiles(values, n=4)
    return (high - low) / middle if middle else 0.0


def ratio(peers, ours, theirs, key="rounds"):
    """The median over the rounds of ours/theirs; None if one is missing."""
    a, b = peers.get(ours, {}).get(key), peers.get(theirs, {}).get(key)
    if not a or not b:
        return None
    ratios = [a[number] / b[number] for number in a if b.get(number)]
    return statistics.median(ratios) if ratios else None


def our_name(peers):
    return next((name for name in OURS if name in peers), None)


def best_peer(peers):
    """The fastest of the others by its median, of those with Jain's index of at least FAIR_JAIN in the median.

    Where nobody is that fair, of those who are no less fair than libplc. None: there is nobody to compare with."""
    others = {name: entry for name, entry in peers.items() if name not in OURS}
    fair = [name for name, entry in others.items() if entry.get("jain", 1) >= FAIR_JAIN]
    if not fair and our_name(peers):
        our_jain = peers[our_name(peers)].get("jain", 1)
        fair = [name for name, entry in others.items() if entry.get("jain", 1) >= our_jain]
    return min(fair, key=lambda name: others[name]["median"], default=None)


def to_best(peers, ours="libplc"):
    """(ratio, best peer's name); (None, None) where there is nothing to compare."""
    best = best_peer(peers)
    value = ratio(peers, ours, best) if best else None
    return (value, best) if value is not None else (None, None)


def geometric_mean(values):
    values = [value for value in values if value]
    return math.exp(sum(map(math.log, values)) / len(values)) if values else None


def workload_of(cell):
    return cell.split("/")[0]


def parameters_of(cell):
    """{"threads": 4, ...} of "contended/threads:4/section:0"; what is no number stays text."""
    found = {}
    for part in cell.split("/")[1:]:
        name, _, value = part.partition(":")
        found[name] = int(value) if value.isdigit() else value
    return found


def of_workload(cells, workload):
    return {name: peers for name, peers in cells.items() if workload_of(name) == workload}
