# SPDX-License-Identifier: MIT OR Apache-2.0
"""Tests of the tools that judge libplc's figures, on made-up data. ctest runs them."""
import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))

import bars  # noqa: E402
import figures  # noqa: E402
import report  # noqa: E402


def rows(cell, peer, times, **counters):
    """As plc_bench writes them: one row for each round."""
    return [dict({"name": cell + "/" + peer, "repetition_index": number, "real_time": time},
                 **{key: value[number] if isinstance(value, list) else value for key, value in counters.items()})
            for number, time in enumerate(times)]


def entry(times, **others):
    return dict({"rounds": {str(number): time for number, time in enumerate(times)},
                 "median": sorted(times)[len(times) // 2], "spread": 0.0, "disturbed": 0}, **others)


class Summaries(unittest.TestCase):
    def test_medians_over_rounds_and_the_longest_wait(self):
        cells = figures.summarise(
            rows("contended/threads:2", "libplc", [10, 30, 20], jain=[0.9, 1.0, 0.8], wait_max_ns=[5, 70, 6],
                 processor_ns=[1, 2, 9], foreign_share=[0, 0.5, 0.1]))
        summary = cells["contended/threads:2"]["libplc"]
        self.assertEqual(summary["median"], 20)
        self.assertEqual(summary["jain"], 0.9)
        self.assertEqual(summary["wait_max_ns"], 70)
        self.assertEqual(summary["processor_ns"], 2)
        self.assertEqual(summary["disturbed"], 1)
        self.assertEqual(summary["rounds"], {"0": 10, "1": 30, "2": 20})

    def test_a_counter_that_only_some_rounds_have(self):
        measured = rows("queue/a:1", "libplc", [1, 1, 1])
        measured[0]["wait_p99_ns"] = 42
        self.assertEqual(figures.summarise(measured)["queue/a:1"]["libplc"]["wait_p99_ns"], 42)

    def test_cells_and_peers_are_told_apart(self):
        cells = figures.summarise(rows("a/x:1", "libplc", [1]) + rows("a/x:1", "glibc", [2]) + rows("b", "glibc", [3]))
        self.assertEqual({cell: sorted(peers) for cell, peers in cells.items()},
                         {"a/x:1": ["glibc", "libplc"], "b": ["glibc"]})

    def test_spread_is_the_middle_half(self):
        self.assertEqual(figures.quartile_spread([10, 10]), 0)
        self.assertEqual(figures.quartile_spread([10] * 9), 0)
        self.assertAlmostEqual(figures.quartile_spread([1, 2, 3, 4, 5, 6, 7]), 1.0)

    def test_four_digits(self):
        self.assertEqual(figures.shortened(123456.0), 123500)
        self.assertEqual(figures.shortened(0.000123456), 0.0001235)


class Ratios(unittest.TestCase):
    def test_the_median_of_the_rounds_ratios_is_not_the_ratio_of_medians(self):
        peers = {"libplc": entry([10, 20, 90]), "glibc": entry([20, 5, 30])}
        self.assertEqual(peers["libplc"]["median"] / peers["glibc"]["median"], 1)
        # Round by round: 0.5, 4 and 3.
        self.assertEqual(figures.ratio(peers, "libplc", "glibc"), 3)

    def test_only_rounds_that_both_have(self):
        peers = {"libplc": entry([10, 10]), "glibc": entry([5])}
        self.assertEqual(figures.ratio(peers, "libplc", "glibc"), 2)

    def test_what_is_missing(self):
        self.assertIsNone(figures.ratio({"libplc": entry([1])}, "libplc", "glibc"))
        self.assertIsNone(figures.ratio({}, "libplc", "glibc"))
        self.assertIsNone(figures.ratio({"libplc": entry([1]), "glibc": entry([1])}, "libplc", "glibc", "no such"))

    def test_geometric_mean(self):
        self.assertAlmostEqual(figures.geometric_mean([2, 8]), 4)
        self.assertAlmostEqual(figures.geometric_mean([0.5, None, 2]), 1)
        self.assertIsNone(figures.geometric_mean([None]))


class BestPeer(unittest.TestCase):
    def test_the_fastest(self):
        peers = {"libplc": entry([1]), "glibc": entry([5]), "absl": entry([3]), "nsync": entry([4])}
        self.assertEqual(figures.best_peer(peers), "absl")

    def test_never_one_of_our_own(self):
        peers = {"libplc": entry([9]), "libplc_scalable": entry([1]), "libplc_pthread": entry([2]), "glibc": entry([5])}
        self.assertEqual(figures.best_peer(peers), "glibc")
        self.assertIsNone(figures.best_peer({"libplc": entry([1])}))

    def test_a_peer_that_starves_threads_does_not_count(self):
        peers = {"libplc": entry([9], jain=0.99), "absl": entry([1], jain=0.13), "glibc": entry([5], jain=0.9),
                 "tbb": entry([4], jain=0.899)}
        self.assertEqual(figures.best_peer(peers), "glibc")

    def test_where_nobody_is_fair_those_who_are_no_less_so_than_libplc(self):
        peers = {"libplc": entry([9], jain=0.5), "absl": entry([1], jain=0.4), "glibc": entry([5], jain=0.5),
                 "tbb": entry([4], jain=0.8)}
        self.assertEqual(figures.best_peer(peers), "tbb")
        peers["libplc"]["jain"] = 0.85
        self.assertIsNone(figures.best_peer(peers))

    def test_ratio_to_it(self):
        peers = {"libplc": entry([6, 6]), "glibc": entry([5, 5]), "absl": entry([3, 3])}
        self.assertEqual(figures.to_best(peers), (2, "absl"))
        self.assertEqual(figures.to_best({"glibc": entry([5])}), (None, None))


class Verdicts(unittest.TestCase):
    def verdict(self, *arguments, **options):
        return bars.Bar("a bar", *arguments, **options).verdict

    def test_limits(self):
        self.assertEqual(self.verdict(1.0, 1.004), "met")
        self.assertEqual(self.verdict(1.0, 1.006), "MISSED")
        self.assertEqual(self.verdict(0.05, 0.0504), "met")
        self.assertEqual(self.verdict(0.05, 0.0506), "MISSED")
        self.assertEqual(self.verdict(0.95, 0.94, at_least=True), "MISSED")
        self.assertEqual(self.verdict(0.95, 0.96, at_least=True), "met")
        self.assertEqual(self.verdict(1.0, None), "not measured")

    def bar(self, cells, text):
        found = [each for each in bars.all_bars(cells) if each.text == text]
        self.assertEqual(len(found), 1, text)
        return found[0]

    def test_contended_mean_and_worst(self):
        cells = {"contended/threads:2/section:0/outside:0": {"libplc": entry([1]), "glibc": entry([2])},
                 "contended/threads:4/section:0/outside:0": {"libplc": entry([8]), "glibc": entry([4]),
                                                             "absl": entry([1], jain=0.2)}}
        self.assertAlmostEqual(self.bar(cells, "contended, geometric mean").value, 1)
        worst = self.bar(cells, "contended, worst cell")
        self.assertEqual((worst.value, worst.verdict), (2, "MISSED"))
        self.assertEqual(worst.note, "threads:4/section:0/outside:0, to glibc")

    def test_long_sections_only_from_four_threads_on_and_with_nothing_outside(self):
        def cell(threads, outside, ns, jain):
            return {"contended/threads:%d/section:1000/outside:%d" % (threads, outside):
                    {"libplc": entry([ns], processor_ns=ns + 100, jain=jain, wait_max_ns=threads * 1e6)}}
        cells = {**cell(2, 0, 5000, 0.1), **cell(4, 0, 1040, 0.99), **cell(64, 0, 1060, 0.96), **cell(4, 1000, 9, 0.2)}
        text = "1 us sections, 4 and more threads, "
        self.assertEqual(self.bar(cells, text + "ns").value, 1060)
        self.assertEqual(self.bar(cells, text + "processor ns").value, 1160)
        self.assertEqual(self.bar(cells, text + "lowest Jain").value, 0.96)
        longest = self.bar(cells, text + "longest wait, ms")
        self.assertEqual((longest.value, longest.verdict), (64, ""))

    def test_shares_of_readers_and_writers(self):
        cells = {"rwlock_sides/writers:1/readers:15/section:0": {"libplc": entry([1], reads_share=0.98)},
                 "rwlock_sides/writers:1/readers:15/section:1000": {"libplc": entry([1], reads_share=0.995)},
                 "rwlock_sides/writers:15/readers:1/section:0": {"libplc": entry([1], reads_share=0.06)}}
        writer = self.bar(cells, "one writer among 15 readers, its share of the sections")
        self.assertAlmostEqual(writer.value, 0.005)
        self.assertEqual(writer.verdict, "MISSED")
        self.assertEqual(self.bar(cells, "one reader among 15 writers, its share of the sections").verdict, "met")

    def test_the_scalable_lock_is_compared_with_one_word_locks_only(self):
        cells = {"rwlock/threads:2/writes:0/section:0": {"libplc": entry([10]), "libplc_scalable": entry([3]),
                                                         "glibc": entry([15])}}
        bar = self.bar(cells, "scalable lock, two readers, to the best one-word lock")
        self.assertAlmostEqual(bar.value, 0.3)
        self.assertEqual(bar.note, "to libplc")

    def test_nothing_measured_is_no_success(self):
        self.assertEqual({each.verdict for each in bars.all_bars({})}, {"not measured"})


class Tables(unittest.TestCase):
    results = {"context": {"num_cpus": 2, "seed": 7}, "cells": figures.summarise(
        rows("queue/producers:1/consumers:1/capacity:1/notify:under", "libplc", [10, 12, 11], processor_ns=9, jain=1) +
        rows("queue/producers:1/consumers:1/capacity:1/notify:under", "glibc", [5, 6, 5.5], processor_ns=9, jain=1))}

    def test_a_loss_is_named(self):
        text = report.markdown(self.results)
        self.assertIn("| queue/producers:1/consumers:1/capacity:1/notify:under | 2.00 | glibc |", text)
        self.assertIn("| queue, worst cell | <= 1.1 | 2.00 | MISSED |", text)

    def test_parameters_of_a_cell(self):
        self.assertEqual(figures.parameters_of("queue/producers:1/capacity:128/notify:under"),
                         {"producers": 1, "capacity": 128, "notify": "under"})

    def test_the_written_json_is_read_again(self):
        import run
        self.assertEqual(json.loads(run.as_text(self.results)), self.results)

    def test_the_report_of_a_file(self):
        import run
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "results.json"
            path.write_text(run.as_text(self.results))
            tool = pathlib.Path(__file__).with_name("run.py")
            done = subprocess.run([sys.executable, str(tool), "--report-only", str(path)], stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, text=True, check=True)
            self.assertIn("## Where libplc loses", done.stdout)
            self.assertEqual(path.with_suffix(".md").read_text(), done.stdout)


if __name__ == "__main__":
    unittest.main()
