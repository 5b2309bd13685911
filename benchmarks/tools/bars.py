# SPDX-License-Identifier: MIT OR Apache-2.0
"""The project's bars: what libplc's figures must reach beside the best peer of each cell."""
from figures import OURS, geometric_mean, of_workload, parameters_of, ratio, to_best


class Bar:
    """One line of the table. `at_least` turns the limit round; `limit` None: to be seen, not judged; `value` None: not
    measured."""

    def __init__(self, text, limit, value, note="", at_least=False):
        self.text, self.limit, self.value, self.note, self.at_least = text, limit, value, note, at_least

    @property
    def verdict(self):
        if self.value is None:
            return "not measured"
        if self.limit is None:
            return ""
        # Two decimals, or a thousandth where the limit itself is finer, are what the figures are good for.
        measured = round(self.value, 2 if self.limit >= 0.1 else 3)
        return "met" if (measured >= self.limit if self.at_least else measured <= self.limit) else "MISSED"


def worst_of(ratios):
    """(value, note) of the largest of [(ratio, note)], leaving out what was not measured."""
    return max(((value, note) for value, note in ratios if value is not None), default=(None, ""))


def short(cell):
    return cell.split("/", 1)[1] if "/" in cell else cell


def compared(cells, chosen=lambda name: True):
    """[(ratio to the best peer, "cell, to peer")]"""
    found = []
    for name, peers in cells.items():
        if chosen(name):
            value, best = to_best(peers)
            found.append((value, "%s, to %s" % (short(name), best)))
    return found


def worst_bar(text, limit, ratios):
    value, note = worst_of(ratios)
    return Bar(text + ", worst cell", limit, value, note)


def mean_bar(text, limit, ratios):
    values = [value for value, _ in ratios if value is not None]
    return Bar(text + ", geometric mean", limit, geometric_mean(values), "%d cells" % len(values) if values else "")


def uncontended(cells):
    for cell in ("uncontended/lock_unlock", "uncontended/try_lock_unlock", "uncontended/try_lock_held",
                 "uncontended/read_unlock", "uncontended/write_unlock", "random_lock/locks:1000000",
                 "uncontended/once_done"):
        value, best = to_best(cells.get(cell, {}))
        yield Bar(cell, 1.0, value, "to " + best if best else "")
    for prefix in ("preloaded", "preloaded_one_thread"):
        ratios = [(ratio(peers, "libplc_pthread", "glibc"), name) for name, peers in cells.items()
                  if name.startswith(prefix + "/uncontended/") and "once" not in name]
        lock = "%s/uncontended/lock_unlock" % prefix
        yield Bar(lock + ", to glibc", 0.85, ratio(cells.get(lock, {}), "libplc_pthread", "glibc"))
        yield worst_bar(prefix + ", the other uncontended calls, to glibc", 0.85,
                        [(value, short(name)) for value, name in ratios if name != lock])


def contended(cells):
    ratios = compared(of_workload(cells, "contended"))
    yield mean_bar("contended", 1.0, ratios)
    yield worst_bar("contended", 1.15, ratios)
    yield worst_bar("zipf", 1.15, compared(of_workload(cells, "zipf")))
    entries = [(peers["libplc"], name) for name, peers in of_workload(cells, "contended").items()
               if "libplc" in peers and is_long_section(parameters_of(name))]
    text = "1 us sections, 4 and more threads, "
    for key, what, limit in (("median", "ns", 1050), ("processor_ns", "processor ns", 1200)):
        value, note = worst_of([(entry.get(key), short(name)) for entry, name in entries])
        yield Bar(text + what, limit, value, note)
    jain, note = min(((entry.get("jain", 0), short(name)) for entry, name in entries), default=(None, ""))
    yield Bar(text + "lowest Jain", 0.95, jain, note, at_least=True)
    longest, note = worst_of([(entry.get("wait_max_ns"), short(name)) for entry, name in entries])
    yield Bar(text + "longest wait, ms", None, longest / 1e6 if longest else None, note)


def is_long_section(parameters):
    return parameters["threads"] >= 4 and parameters["section"] == 1000 and parameters["outside"] == 0


def wakes(cells):
    pairs = {**of_workload(cells, "condvar_ping_pong"), **of_workload(cells, "park_ping_pong")}
    for processors, limit in ((2, 0.05), (1, 1.05)):
        part = {name: peers for name, peers in pairs.items() if parameters_of(name)["processors"] == processors}
        value, note = worst_of([(value, "%s, %s" % (name.split("_")[0], note)) for name in part
                                for value, note in compared({name: part[name]})])
        yield Bar("ping-pong, processors: %d, worst cell" % processors, limit, value, note)
    queues = compared(of_workload(cells, "queue"))
    yield mean_bar("queue", 0.6, queues)
    yield worst_bar("queue", 1.1, queues)
    yield worst_bar("broadcast", 1.1, compared(of_workload(cells, "broadcast")))


def processor_time(cells):
    idle = [(ratio(peers, "libplc", "glibc", "processor_rounds"), short(name))
            for name, peers in of_workload(cells, "idle").items()]
    yield worst_bar("idle, processor time to glibc", 1.05, idle)
    busy = [(ratio(peers, "libplc", "glibc", "processor_rounds"), short(name))
            for name, peers in of_workload(cells, "contended").items() if parameters_of(name)["threads"] >= 16]
    yield mean_bar("oversubscribed (contended, 16 threads and more), processor time to glibc", 1.05, busy)
    yield worst_bar("oversubscribed (contended, 16 threads and more), processor time to glibc", 1.05, busy)


def read_write(cells):
    ratios = compared(of_workload(cells, "rwlock"))
    yield mean_bar("rwlock", 0.6, ratios)
    yield worst_bar("rwlock", 1.1, ratios)
    sides = of_workload(cells, "rwlock_sides")
    for writers, what in ((1, "one writer among 15 readers, its share of the sections"),
                          (15, "one reader among 15 writers, its share of the sections")):
        shares = []
        for name, peers in sides.items():
            reads = peers.get("libplc", {}).get("reads_share")
            if reads is not None and parameters_of(name)["writers"] == writers:
                shares.append((1 - reads if writers == 1 else reads, short(name)))
        least, note = min(shares, default=(None, ""))
        yield Bar(what, 0.01, least, note, at_least=True)
    readers = cells.get("rwlock/threads:2/writes:0/section:0", {})
    others = {name: entry for name, entry in readers.items() if name != "libplc_scalable"}
    best = min(others, key=lambda name: others[name]["median"], default=None)
    yield Bar("scalable lock, two readers, to the best one-word lock", 0.4, ratio(readers, "libplc_scalable", best),
              "to %s" % best if best else "")


def rise(peers_of_few, peers_of_many, name):
    """How much more processor time a wake takes with many waiters than with few; None if one is missing."""
    few, many = (peers.get(name, {}).get("processor_ns") for peers in (peers_of_few, peers_of_many))
    return many / few if few and many else None


def growth(cells):
    for workload, what in (("growth_one_address", "at one address"), ("growth_addresses", "each at its own address")):
        few, many = (cells.get("%s/waiters:%d" % (workload, waiters), {}) for waiters in (1, 10000))
        ours = rise(few, many, "libplc")
        others = [(value, name) for value, name in ((rise(few, many, name), name) for name in few if name not in OURS)
                  if value is not None]
        flattest, best = min(others, default=(None, ""))
        # A wake of a thread that has slept long costs the kernel more, whoever wakes it.
        yield Bar("cost of a wake, 10,000 waiters to 1, %s, to the same of the flattest peer" % what, 1.1,
                  ours / flattest if ours and flattest else None,
                  "%.1f times, %s %.1f times" % (ours, best, flattest) if ours and flattest else "")
    stalls = [peers["libplc"].get("wait_max_ns") for peers in of_workload(cells, "growth_stall").values()
              if "libplc" in peers]
    yield Bar("the table grows under load: longest operation of a bystander, ms", 1.0,
              max(stalls) / 1e6 if stalls and None not in stalls else None)


def tasks(cells):
    for cell, what in (("tasks/unpark_awake", "unpark of a thread that is awake, ns"),
                       ("tasks/park_permit", "park with a permit, ns")):
        yield Bar(what, 10, cells.get(cell, {}).get("libplc", {}).get("median"))
    for cell in ("tasks/register_and_wake", "tasks/block_on", "spawn/workers:2"):
        yield Bar(cell + ", to tokio", 1.0, ratio(cells.get(cell, {}), "libplc", "tokio"))
    for processors, limit in ((2, 0.5), (1, 1.0)):
        for workload, peer in (("token_ping_pong", "rust_std"), ("block_on_ping_pong", "tokio")):
            cell = "%s/processors:%d" % (workload, processors)
            yield Bar("%s, to %s" % (cell, peer), limit, ratio(cells.get(cell, {}), "libplc", peer))
    for name, peers in of_workload(cells, "echo").items():
        yield Bar(name + ", time for an answer, to tokio", 1.0, ratio(peers, "libplc", "tokio"))
        waits = [peers.get(peer, {}).get("wait_p99_ns") for peer in ("libplc", "tokio")]
        yield Bar(name + ", 99 % of the answers, to tokio", 1.0, waits[0] / waits[1] if all(waits) else None)


def all_bars(cells):
    parts = (uncontended, contended, processor_time, wakes, read_write, growth, tasks)
    return [bar for part in parts for bar in part(cells)]
