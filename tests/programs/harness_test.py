# SPDX-License-Identifier: MIT OR Apache-2.0
"""Tests of the harness itself: that it notices hangs, other results and unserved programs, and leaves no process behind.

    harness_test.py PLC_RUN"""

import pathlib
import signal
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
from harness import catalogue, compare, pairs, processes, report  # noqa: E402  (no files of bytecode in the sources)
from harness.program import Measure, Program, Result  # noqa: E402
from harness.run import Failure, Run  # noqa: E402

PLC_RUN = None


class Pairs(unittest.TestCase):
    def test_the_sign_test_counts_what_a_coin_would_do(self):
        self.assertEqual(pairs.sign_test([0.9] * 7), 1 / 128)
        self.assertEqual(pairs.sign_test([0.9, 1.1, 0.9, 1]), 4 / 8)
        self.assertEqual(pairs.sign_test([1.1, 1.2]), 1)

    def test_slower_needs_more_than_noise(self):
        self.assertTrue(pairs.judge([0.9, 0.91, 0.92, 0.93, 0.94, 0.95, 0.96]).is_slower)
        self.assertFalse(pairs.judge([0.9, 0.91, 0.92]).is_slower)  # too few
        self.assertFalse(pairs.judge([0.8, 0.9, 0.99, 1.0, 1.01, 1.1, 1.2]).is_slower)

    def test_both_ways_come_first_equally_often(self):
        for seed in range(20):
            firsts = [first for first, _ in pairs.orders(10, seed)]
            self.assertEqual(firsts.count("glibc"), 5)

    def test_speed_is_the_inverse_of_time(self):
        self.assertEqual(Measure("a", 2, "s").speed_relative_to(Measure("a", 1, "s")), 0.5)
        self.assertEqual(Measure("a", 2, "ops/s").speed_relative_to(Measure("a", 1, "ops/s")), 2)


class Compare(unittest.TestCase):
    """Programs that misbehave on purpose."""

    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        self.addCleanup(self.directory.cleanup)
        self.logs = pathlib.Path(self.directory.name) / "logs"

    def compare(self, function, limit=60, count=2):
        options = compare.Options(PLC_RUN, self.directory.name, self.logs, count, 0, "short", limit, 1, lambda text: None)
        found = compare.Comparer(Program("example", (), "", function), options).compare()
        self.assertEqual(processes.descendants(), [])
        return found

    def test_a_good_program_is_served(self):
        def good(run):
            # Perl's threads lock; any small program that does would do.
            ended = run.execute("perl", "-e", "use threads; threads->create(sub { 7 })->join() == 7 or die")
            return Result(ended.status, [Measure("time", ended.seconds, "s")])

        found = self.compare(good)
        self.assertTrue(found.is_good, found.failures)
        self.assertEqual((found.runs, len(found.glibc), len(found.libplc)), (3, 2, 2))
        self.assertGreater(found.counts.served, 0)
        self.assertIn("| example | the same | 0 of 3 |", report.markdown([found]))

    def test_a_program_that_does_not_lock_is_not_served(self):
        found = self.compare(lambda run: Result(run.execute("true").status))
        self.assertIn("no process said that libplc served it", found.failures[0])

    def test_another_result_is_noticed(self):
        found = self.compare(lambda run: Result(run.way))
        self.assertIn("another result than glibc's", " ".join(found.failures))
        self.assertFalse(found.is_good)

    def test_a_bad_end_is_noticed(self):
        found = self.compare(lambda run: run.execute("sh", "-c", "echo why; exit 3"))
        self.assertIn("glibc:", found.failures[0])
        self.assertIn("ended with 3", next(self.logs.iterdir()).read_text())

    def test_a_hang_is_explained_and_ended(self):
        def hangs(run):
            if run.way == "libplc":
                # An orphan in a session of its own must be found as well.
                run.execute("sh", "-c", "setsid sleep 1000 & exec sleep 2000")
            return Result(0)

        found = self.compare(hangs, limit=1, count=1)
        self.assertEqual((found.hangs, found.is_good), (2, False))
        self.assertIn("sleep 1000", "".join(path.read_text() for path in self.logs.iterdir()))


class Servers(unittest.TestCase):
    def test_a_server_is_on_the_locks_in_question(self):
        for way in ("glibc", "libplc"):
            run = Run(way, PLC_RUN)
            try:
                server = run.serve(lambda port: (sys.executable, "-m", "http.server", port, "--bind", "127.0.0.1"))
                self.assertEqual(processes.is_on_libplc(server.pid), way == "libplc")
                server.stop(signal.SIGKILL, statuses=(-signal.SIGKILL,))
                with self.assertRaises(Failure):
                    run.serve(lambda port: ("false",))
            finally:
                run.close()


class Catalogue(unittest.TestCase):
    def test_names_are_unique_and_found(self):
        names = [program.name for program in catalogue.programs()]
        self.assertEqual(len(names), len(set(names)))
        self.assertEqual([program.name for program in catalogue.chosen(["redis"])], ["redis"])
        with self.assertRaises(KeyError):
            catalogue.chosen(["no-such-program"])


if __name__ == "__main__":
    PLC_RUN = sys.argv.pop(1)
    processes.adopt_orphans()
    unittest.main()
