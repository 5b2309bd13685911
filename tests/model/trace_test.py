#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""The story of a failing execution says what a person needs, and its schedule leads to the same failure again.

    tests/model/trace_test.py PROGRAM      model_litmus_locks"""

import re
import subprocess
import sys
import unittest

program = "build/model/tests/model/model_litmus_locks"
STEP = re.compile(r"^ +(?P<step>\d+) +T(?P<thread>\d) (?P<place>\S+) +(?P<what>.*)$")
PLACE = re.compile(r"tests/model/litmus/locks\.c:\d+$")
WRITES = re.compile(r"(?:store|exchange|cas|fetch_\w+) \w+ \[(?P<address>0x[0-9a-f]+)\] := (?P<value>0x[0-9a-f]+|0)")
READS = re.compile(r"\[(?P<address>0x[0-9a-f]+)\].*reads (?P<value>0x[0-9a-f]+|0), (?P<source>initial|stored by step (?P<step>\d+))")


def run(*arguments):
    return subprocess.run([program, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


class Story:
    def __init__(self, output):
        self.text = output[output.index("\n") + 1:] if output.startswith(("ok", "FAILED")) else output
        self.steps = {int(m["step"]): m for m in map(STEP.match, self.text.splitlines()) if m}
        self.replay = re.search(r"replay with: --only '(.+)' --replay (\S+)$", self.text, re.MULTILINE)


class Trace(unittest.TestCase):
    def story_of(self, scenario):
        result = run("--only", scenario, "--verbose")
        self.assertEqual(result.returncode, 0, result.stdout)
        return Story(result.stdout)

    def replayed(self, story):
        result = run("--only", story.replay[1], "--replay", story.replay[2])
        self.assertEqual(result.returncode, 1, "the replay of a failure fails")
        return Story(result.stdout)

    def test_lost_wake_up(self):
        story = self.story_of("sleeper forgotten")
        self.assertIn("deadlock or lost wake-up: nobody can move", story.text)
        self.assertRegex(story.text, r"T\d sleeps on \[0x[0-9a-f]+\] at tests/model/litmus/locks\.c:\d+")
        self.assertRegex(story.text, r"T\d has ended")
        operations = [m for m in story.steps.values() if m["what"] not in ("starts", "goes on after its sleep")]
        self.assertGreater(len(operations), 5)
        for operation in operations:
            self.assertRegex(operation["place"], PLACE)
        self.assertTrue(any("cas acquire" in m["what"] for m in operations))
        self.assertTrue(any("exchange release" in m["what"] for m in operations))
        self.assertTrue(any(m["what"].endswith(": sleeps") for m in operations))

    def test_every_read_names_the_store_that_it_read(self):
        story = self.story_of("sleeper forgotten")
        from_steps = 0
        for number, step in story.steps.items():
            read = READS.search(step["what"])
            if not read or read["source"] == "initial":
                continue
            source = int(read["step"])
            self.assertLess(source, number)
            written = WRITES.match(story.steps[source]["what"])
            self.assertIsNotNone(written, f"step {number} reads from step {source}, which stores nothing")
            self.assertEqual((written["address"], written["value"]), (read["address"], read["value"]))
            from_steps += 1
        self.assertGreater(from_steps, 2)

    def test_race_names_both_places(self):
        story = self.story_of("unlock relaxed")
        self.assertRegex(story.text, r"data race: T\d: \w+ of 0x[0-9a-f]+, not ordered after the \w+ by T\d")
        self.assertRegex(story.text, r"\n +at tests/model/litmus/locks\.c:\d+\n +earlier, at tests/model/litmus/locks\.c:\d+")

    def test_replay_tells_the_same_story(self):
        for scenario in ("sleeper forgotten", "unlock relaxed", "touch after the signal", "null pointer"):
            with self.subTest(scenario):
                story = self.story_of(scenario)
                self.assertEqual(self.replayed(story).text, story.text)

    def test_a_schedule_of_another_program(self):
        story = self.story_of("sleeper forgotten")
        result = run("--only", "unlock relaxed", "--replay", story.replay[2])
        self.assertEqual(result.returncode, 1)
        self.assertRegex(result.stdout, "does not fit|data race")
        self.assertEqual(run("--only", "unlock relaxed", "--replay", "no schedule").returncode, 2)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        program = sys.argv.pop(1)
    unittest.main()
