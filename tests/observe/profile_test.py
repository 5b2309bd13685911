#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""plc-run --profile on programs whose waits are known. profile_test.py PLC_RUN DIRECTORY_OF_PROGRAMS [unittest's arguments]"""
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree

PLC_RUN, PROGRAMS = sys.argv[1], sys.argv[2]
LINE = 80


def program(name):
    return os.path.join(PROGRAMS, "observe_" + name)


class Profile(unittest.TestCase):
    def setUp(self):
        self.directory = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.directory)

    def run_profile(self, *command, output="profile", environment=None):
        """The finished process, and its report as JSON if there is one."""
        path = self.directory / output
        done = subprocess.run([PLC_RUN, "--profile", "--output", str(path), *command], capture_output=True, text=True,
                              env={**os.environ, **(environment or {})}, check=False)
        file = pathlib.Path(str(path) + ".json")
        return done, json.loads(file.read_text()) if file.exists() else None

    def check_three_locks(self, said, report):
        """The program knows between what times its waits were. One per cent is for the length of a tick."""
        truth = {name: (float(least), float(most))
                 for name, least, most in re.findall(r"^(\w+_lock) ([0-9.]+) ([0-9.]+)$", said, re.M)}
        self.assertEqual(len(truth), 3, said)
        found = {lock["name"]: lock for lock in report["locks"]}
        self.assertEqual(set(found), set(truth))
        shares = [sum(bound) for bound in zip(*truth.values())]
        for name, (least, most) in truth.items():
            lock = found[name]
            self.assertEqual(lock["waits"], 20)
            self.assertEqual(lock["acquisitions"], 40)
            self.assertGreaterEqual(lock["wait"]["total"], 0.99 * least)
            self.assertLessEqual(lock["wait"]["total"], 1.01 * most)
            share = lock["wait"]["total"] / report["waited"]
            self.assertGreaterEqual(share, least / shares[1] - 0.05)
            self.assertLessEqual(share, most / shares[0] + 0.05)
            self.assertEqual(sum(place["waits"] for place in lock["places"]), 20)
            inner = lock["places"][0]["stack"][0]
            self.assertEqual(inner["function"], "wait_" + name.removesuffix("_lock"))
            self.assertEqual(os.path.basename(inner["file"]), "three_locks.c")
            self.assertEqual(lock["origin"][0]["function"], "take_" + name.removesuffix("_lock"))
            self.assertIn(lock["hold"]["longest_stack"][0]["function"],
                          ("give_" + name.removesuffix("_lock"), inner["function"]))  # a waiter may lose its processor
            self.assertLessEqual(lock["wait"]["p50"], lock["wait"]["p99"])
            self.assertLessEqual(lock["wait"]["p99"], lock["wait"]["longest"])
            self.assertGreaterEqual(lock["wait"]["total"], lock["wait"]["longest"])
        self.assertEqual({lock["name"]: lock["type"] for lock in report["locks"]},
                         {"short_lock": "mutex", "middle_lock": "mutex", "long_lock": "rwlock"})

    def test_three_locks_in_every_format(self):
        done, report = self.run_profile(program("three_locks"))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.check_three_locks(done.stdout, report)
        text = (self.directory / "profile.txt").read_text()
        self.assertLessEqual(max(map(len, text.splitlines())), LINE)
        self.assertIn("long_lock", text)
        folded = (self.directory / "profile.folded").read_text().splitlines()
        self.assertEqual(len(folded), 3)
        self.assertRegex("\n".join(folded), r"(?m)^.*wait_in_turn;wait_long;\[rwlock long_lock\] \d+$")
        micro = sum(int(line.rsplit(" ", 1)[1]) for line in folded)
        self.assertAlmostEqual(micro / 1e6, report["waited"], delta=0.01 * report["waited"])
        svg = xml.etree.ElementTree.parse(self.directory / "profile.svg")
        names = [box.get("data-name") for box in svg.iter("{http://www.w3.org/2000/svg}g")]
        self.assertIn("[rwlock long_lock]", names)
        contention = (self.directory / "profile.contention").read_text()
        samples = re.findall(r"^(\d+) (\d+) @ 0x", contention, re.M)
        self.assertEqual(sum(int(count) for _, count in samples), 60)
        self.assertAlmostEqual(sum(int(ns) for ns, _ in samples) / 1e9, report["waited"], delta=0.01)

    @unittest.skipUnless(shutil.which("google-pprof"), "google-pprof is not installed")
    def test_pprof_opens_it(self):
        self.run_profile(program("three_locks"))
        done = subprocess.run(["google-pprof", "--text", program("three_locks"), self.directory / "profile.contention"],
                              capture_output=True, text=True, check=False)
        self.assertRegex(done.stdout, r"wait_long")

    @unittest.skipUnless(shutil.which("addr2line"), "binutils are not installed")
    def test_symbols_by_binutils(self):
        tools = self.directory / "tools"
        tools.mkdir()
        for tool in ("addr2line", "nm", "python3", "env"):
            (tools / tool).symlink_to(shutil.which(tool))
        done, report = self.run_profile(program("three_locks"), environment={"PATH": str(tools)})
        self.check_three_locks(done.stdout, report)

    def test_what_was_gathered_survives_every_end(self):
        for how, status in (("segv", -signal.SIGSEGV), ("abort", -signal.SIGABRT), ("kill", -signal.SIGKILL), ("_exit", 7)):
            with self.subTest(how):
                done, report = self.run_profile(program("three_locks"), how, output=how)
                self.assertEqual(done.returncode, status)
                self.check_three_locks(done.stdout, report)

    def test_every_process_has_its_report(self):
        done, report = self.run_profile(program("three_locks"), "fork")
        child = int(re.search(r"^child (\d+)$", done.stdout, re.M).group(1))
        self.check_three_locks(done.stdout, report)
        other = json.loads((self.directory / f"profile.{child}.json").read_text())
        self.assertEqual(other["pid"], child)
        self.assertEqual(other["parent"], report["pid"])
        self.assertTrue(other["forked"])
        self.assertEqual({lock["name"]: lock["waits"] for lock in other["locks"]},
                         {"short_lock": 20, "middle_lock": 20, "long_lock": 20})

    def test_conds_are_apart(self):
        done, report = self.run_profile(program("waits"), "cond")
        self.assertEqual(done.returncode, 0)
        cond, = report["conds"]
        self.assertEqual((cond["name"], cond["type"]), ("jobs_changed", "cond"))
        self.assertEqual(cond["waits"], cond["acquisitions"])
        self.assertGreaterEqual(cond["waits"], 100)
        self.assertNotIn("jobs_changed", [lock["name"] for lock in report["locks"]])

    def test_two_locks_at_one_address_are_two(self):
        done, report = self.run_profile(program("waits"), "reuse")
        self.assertEqual(done.returncode, 0)
        rows = {lock["origin"][0]["function"]: lock for lock in report["locks"]}
        self.assertEqual(set(rows), {"first_life", "second_life"})
        self.assertEqual((rows["first_life"]["waits"], rows["first_life"]["acquisitions"]), (1, 2))
        self.assertEqual((rows["second_life"]["waits"], rows["second_life"]["acquisitions"]), (2, 4))
        self.assertTrue(rows["first_life"]["replaced"])
        self.assertTrue(rows["second_life"]["destroyed"])

    def test_names_that_the_program_gave(self):
        done, report = self.run_profile(program("waits"), "named")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual([lock["name"] for lock in report["locks"]], ["the one place"])

    def test_a_million_locks(self):
        for extra in ((), ("static",)):
            done, report = self.run_profile(program("many_locks"), "1000000", *extra)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertLess(report["memory"], 64 << 20)
            self.assertGreaterEqual(report["acquisitions"], 2_000_000)
            self.assertEqual(report["dropped"]["acquisitions"] > 0, report["locks_seen"] < 1_000_000)

    def test_threads_that_come_at_once_count_exactly(self):
        count, threads, rounds = 5000, 4, 2
        done, report = self.run_profile(program("many_locks"), str(count), "shared")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(report["acquisitions"], 2 * count * threads * rounds)
        self.assertEqual(report["locks_seen"], 2 * count)
        self.assertEqual(set(report["dropped"].values()), {0})

    def test_without_python_nothing_is_lost(self):
        path = self.directory / "raw"
        nothing = self.directory / "nothing"
        nothing.mkdir()
        done = subprocess.run([PLC_RUN, "--profile", "--output", str(path), program("three_locks"), "_exit"],
                              capture_output=True, text=True, env={"PATH": str(nothing)}, check=False)
        self.assertEqual(done.returncode, 7)
        saved, = self.directory.glob("raw.*.raw")
        self.assertIn(f"what was gathered is in {saved}", done.stderr)
        self.assertLess(saved.stat().st_blocks * 512, 8 << 20)  # with holes
        report = [os.path.join(os.path.dirname(PLC_RUN), "plc-report"), "--output", str(path)]
        subprocess.run([*report, str(saved)], check=True, capture_output=True)
        self.check_three_locks(done.stdout, json.loads((self.directory / "raw.json").read_text()))
        other = subprocess.run([*report, __file__], check=False, capture_output=True, text=True)
        self.assertEqual(other.returncode, 1)
        self.assertRegex(other.stderr, "it is (cut off|not a profile)")

    def test_what_is_dropped_is_counted(self):
        done, report = self.run_profile(program("many_locks"), "1010000")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertLess(report["memory"], 64 << 20)
        self.assertGreaterEqual(report["acquisitions"], 2_020_000)
        dropped = 1_010_000 - report["locks_seen"]
        self.assertGreaterEqual(report["dropped"]["locks"], 10_000 - 100)
        self.assertGreaterEqual(report["dropped"]["acquisitions"], 2 * dropped - 200)
        self.assertIn("Dropped, because there was no room", (self.directory / "profile.txt").read_text())

    def test_what_cannot_be_written_is_said_and_disturbs_nobody(self):
        done = subprocess.run([PLC_RUN, "--profile", "--output", "/dev/full", program("three_locks"), "_exit"],
                              capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 7)
        self.assertIn("cannot write /dev/full: No space left on device", done.stderr)
        self.assertIn("long_lock", done.stderr)  # the report itself, so that it is not lost
        done = subprocess.run([PLC_RUN, "--profile", "--output", "/nonexistent/profile", program("three_locks")],
                              capture_output=True, text=True, check=False)
        self.assertEqual((done.returncode, done.stdout), (125, ""))
        self.assertIn("cannot write /nonexistent/profile: No such file or directory", done.stderr)

    def test_reports_while_it_runs(self):
        base = self.directory / "running"
        with subprocess.Popen([PLC_RUN, "--profile", "--every", "1", "--output", str(base), program("waits"), "hang"],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
            self.assertRegex(running.stdout.readline(), r"^ready \d+$")
            self.assertRegex(running.stderr.readline(), r"^plc-run: \d+ s: \d+ acquisitions of \d+ locks, .* waited")
            running.send_signal(signal.SIGUSR1)  # the program's
            self.assertEqual(running.stdout.readline(), f"signal {signal.SIGUSR1.value}\n")
            running.send_signal(signal.SIGUSR2)  # plc-run's
            running.send_signal(signal.SIGTERM)
            self.assertEqual(running.stdout.readline(), f"signal {signal.SIGTERM.value}\n")
            running.communicate()
            self.assertEqual(running.returncode, 0)
        self.assertFalse(json.loads((self.directory / "running.json").read_text())["running"])

    def test_a_signal_asks_for_a_report(self):
        base = self.directory / "asked.json"
        with subprocess.Popen([PLC_RUN, "--profile", "--signal", "10", "--output", str(base), program("waits"), "hang"],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
            running.stdout.readline()
            running.send_signal(signal.SIGUSR1)
            while not base.exists():
                self.assertIsNone(running.poll())
            self.assertTrue(json.loads(base.read_text())["running"])
            running.send_signal(signal.SIGTERM)
            said, _ = running.communicate()
            self.assertEqual((running.returncode, said), (0, "signal 15\n"))

    def test_wrong_calls(self):
        for arguments, message in ((["--every", "0"], "--every wants a number"), (["--signal", "9"], "--signal wants"),
                                   (["--top", "x"], "--top wants"), (["--output", ""], "output is empty"),
                                   (["--stats"], "--stats goes with no other option")):
            done = subprocess.run([PLC_RUN, "--profile", *arguments, "true"], capture_output=True, text=True, check=False)
            self.assertEqual(done.returncode, 2)
            self.assertIn(message, done.stderr)
        done = subprocess.run([PLC_RUN, "--every", "3", "true"], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 2)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[3:]], verbosity=2)
