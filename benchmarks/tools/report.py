# SPDX-License-Identifier: MIT OR Apache-2.0
"""Medians, ratios and bars out of the rows of plc_bench."""
import math
import statistics

OURS = {"libplc", "libplc_pthread"}
PEER_ORDER = ["libplc", "libplc_pthread", "glibc", "glibc_adaptive", "std", "parking_lot", "rust_std", "absl", "nsync",
              "tbb"]
WAITS = ("wait_p50_ns", "wait_p99_ns", "wait_p999_ns")
# A run during which others had more of the processors than this is marked.
FOREIGN_LIMIT = 0.12


def summarise(rows):
    """{cell: {peer: {"rounds": {round: ns}, "median": ns, ...}}}"""
    cells = {}
    for row in rows:
        cell, peer = row["name"].rsplit("/", 1)
        entry = cells.setdefault(cell, {}).setdefault(peer, {"rounds": {}, "details": []})
        entry["rounds"][str(row["repetition_index"])] = row["real_time"]
        entry["details"].append(row)
    for peers in cells.values():
        for entry in peers.values():
            finish(entry)
    return cells


def finish(entry):
    """Adds the medians over the rounds, and drops what they were made from but the times."""
    times = sorted(entry["rounds"].values())
    entry["median"] = statistics.median(times)
    entry["spread"] = quartile_spread(times)
    details = entry.pop("details")
    for key in ("processor_ns", "switches", "jain", "slowest_share", "reads_share") + WAITS:
        values = [row[key] for row in details if key in row]
        if values:
            entry[key] = statistics.median(values)
    waits = [row["wait_max_ns"] for row in details if "wait_max_ns" in row]
    if waits:
        entry["wait_max_ns"] = max(waits)
    entry["disturbed"] = sum(row.get("foreign_share", 0) > FOREIGN_LIMIT for row in details)


def quartile_spread(values):
    """The middle half's width as a share of the median."""
    if len(values) < 3:
        return 0.0
    low, middle, high = statistics.quantiles(values, n=4)
    return (high - low) / middle if middle else 0.0


def ratio(peers, ours, theirs):
    """The median over the rounds of ours/theirs; None if one is missing."""
    if ours not in peers or theirs not in peers:
        return None
    a, b = peers[ours]["rounds"], peers[theirs]["rounds"]
    ratios = [a[number] / b[number] for number in a if number in b and b[number]]
    return statistics.median(ratios) if ratios else None


def our_name(peers):
    return next((name for name in peers if name in OURS), None)


def geometric_mean(values):
    values = [value for value in values if value]
    return math.exp(sum(map(math.log, values)) / len(values)) if values else None


def number(value):
    if value is None:
        return ""
    if value >= 1e5:
        return "%.0f" % value
    return "%.3g" % value if value < 100 else "%.0f" % value


def two(value):
    return "" if value is None else "%.2f" % value


def workload_of(cell):
    return cell.split("/")[0]


def table(cells, workload):
    names = [cell for cell in cells if workload_of(cell) == workload]
    peers = [peer for peer in PEER_ORDER if any(peer in cells[name] for name in names)]
    compared = [peer for peer in ("glibc", "parking_lot") if peer in peers]
    lines = ["## " + workload, "",
             "| cell | " + " | ".join(peers) + " | " + " | ".join("ratio to " + peer for peer in compared) + " |",
             "|---|" + "---:|" * (len(peers) + len(compared))]
    ratios = {peer: [] for peer in compared}
    for name in names:
        ours = our_name(cells[name])
        row = [name.split("/", 1)[1]] + [number(cells[name].get(peer, {}).get("median")) for peer in peers]
        for peer in compared:
            value = ratio(cells[name], ours, peer) if ours else None
            ratios[peer].append(value)
            row.append(two(value))
        lines.append("| " + " | ".join(row) + " |")
    means = [two(geometric_mean(ratios[peer])) for peer in compared]
    lines.append("| geometric mean |" + " |" * len(peers) + " " + " | ".join(means) + " |")
    return lines + [""]


def detail_table(cells, workload):
    """What stands beside throughput: processor time, fairness, waits."""
    names = [cell for cell in cells if workload_of(cell) == workload
             and any("jain" in entry for entry in cells[cell].values())]
    if not names:
        return []
    lines = ["### %s: processor time per operation, fairness, waits" % workload, "",
             "| cell | peer | ns | spread | processor ns | switches | Jain | slowest | p50 us | p99 us | p99.9 us "
             "| longest ms |",
             "|---|---|" + "---:|" * 10]
    for name in names:
        for peer in PEER_ORDER:
            entry = cells[name].get(peer)
            if not entry:
                continue
            waits = [number(entry[key] / 1e3) if key in entry else "" for key in WAITS]
            longest = "%.2f" % (entry["wait_max_ns"] / 1e6) if "wait_max_ns" in entry else ""
            lines.append("| %s | %s | %s | %.0f %% | %s | %.3f | %.3f | %.2f | %s | %s |" % (
                name.split("/", 1)[1], peer, number(entry["median"]), 100 * entry["spread"],
                number(entry.get("processor_ns")), entry.get("switches", 0), entry.get("jain", 0),
                entry.get("slowest_share", 0), " | ".join(waits), longest))
    return lines + [""]


def bar(lines, text, value, limit):
    if value is None:
        verdict = "not measured"
    else:
        # Two decimals are what the figures are good for.
        verdict = ("met" if round(value, 2) <= limit else "MISSED") + " (%.2f)" % value
    lines.append("- %s <= %g: %s" % (text, limit, verdict))


def bars(cells):
    """The bars of the project, each with its verdict."""
    lines = ["## Bars", ""]
    single = cells.get("uncontended/lock_unlock", {})
    bar(lines, "uncontended lock+unlock, to glibc", ratio(single, "libplc", "glibc"), 0.9)
    bar(lines, "uncontended lock+unlock, to parking_lot", ratio(single, "libplc", "parking_lot"), 1.1)
    contended = {name: peers for name, peers in cells.items() if workload_of(name) == "contended"}
    worst = max(((ratio(peers, "libplc", "glibc") or 0, name) for name, peers in contended.items()), default=(None, ""))
    bar(lines, "contended, worst cell to glibc" + (" (%s)" % worst[1] if worst[0] else ""), worst[0] or None, 1.0)
    bar(lines, "contended, geometric mean to parking_lot",
        geometric_mean([ratio(peers, "libplc", "parking_lot") for peers in contended.values()]), 1.1)
    for name, peers in cells.items():
        if "ping_pong/processors:2" in name and not name.startswith("preloaded"):
            bar(lines, name + ", to glibc", ratio(peers, "libplc", "glibc"), 0.1)
    for prefix, what in (("preloaded", ""), ("preloaded_one_thread", ", one thread in the process")):
        preloaded = cells.get(prefix + "/uncontended/lock_unlock", {})
        bar(lines, "preloaded uncontended lock+unlock%s, to glibc" % what, ratio(preloaded, "libplc_pthread", "glibc"),
            1.0)
    slower = sorted(((ratio(peers, "libplc", "glibc") or 0, name) for name, peers in contended.items()), reverse=True)
    slower = [(value, name) for value, name in slower if round(value, 2) > 1.0]
    if slower:
        lines += ["", "Contended cells slower than glibc: " + ", ".join("%s (%.2f)" % (n, v) for v, n in slower)]
    lines += control(contended)
    return lines + [""]


def control(contended):
    """std::mutex calls glibc's functions: how far apart the two are is what the figures are worth."""
    ratios = sorted(value for value in (ratio(peers, "std", "glibc") for peers in contended.values()) if value)
    if not ratios:
        return []
    return ["", "Control: std::mutex, which is glibc's, to glibc: %.2f to %.2f over the contended cells, geometric mean "
            "%.2f. A ratio within that range may be chance." % (ratios[0], ratios[-1], geometric_mean(ratios))]


def markdown(results):
    cells, context = results["cells"], results["context"]
    rounds = max(len(entry["rounds"]) for peers in cells.values() for entry in peers.values())
    disturbed = sum(entry["disturbed"] for peers in cells.values() for entry in peers.values())
    total = sum(len(entry["rounds"]) for peers in cells.values() for entry in peers.values())
    lines = ["# libplc beside its peers", "",
             "%s processors, %s; %d shuffled rounds of %s ms runs, seed %s. Medians in nanoseconds per operation; ratios "
             "are medians of libplc's time divided by the peer's in the same round; below 1 libplc is faster." % (
                 context.get("num_cpus", "?"), context.get("date", "?"), rounds, context.get("duration_ms", "?"),
                 context.get("seed", "?"))]
    if disturbed:
        lines.append("**%d of %d runs were disturbed by other work on the machine.**" % (disturbed, total))
    lines += [""] + bars(cells)
    workloads = list(dict.fromkeys(workload_of(cell) for cell in cells))
    for workload in workloads:
        lines += table(cells, workload)
    for workload in workloads:
        lines += detail_table(cells, workload)
    return "\n".join(lines).rstrip()
