#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""The gate itself: a mutant that changes nothing survives, one that has rotted is an error, a bug is noticed.

    tests/model/gate_test.py BUILD_DIRECTORY      with the scenarios built"""

import contextlib
import importlib.machinery
import importlib.util
import io
import pathlib
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PARKER = "src/thread_parker/linux_futex.c"


def load_gate():
    loader = importlib.machinery.SourceFileLoader("model_gate", str(ROOT / "scripts" / "model-gate"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("model_gate", loader))
    loader.exec_module(module)
    return module


gate = load_gate()
mutants = gate.model_mutants
build_directory = pathlib.Path("build/model")


def mutant(*hunks, programs="parker", head=""):
    return "\n".join([f"mutant: it\nprograms: {programs}", *([head] if head else []), *hunks]) + "\n"


WAKE = f"file: {PARKER}\n-        plc_os_futex_wake(word, 1);\n+        (void)word;"
NOTHING = f"file: {PARKER}\n-        plc_os_futex_wake(word, 1);\n+        plc_os_futex_wake(word, (1));"
ENDLESS = f"file: {PARKER}\n-        if (is_signalled(parker))\n-            return true;\n-        if (!in_time)"
ENDLESS += "\n+        while (!is_signalled(parker)) {\n+        }\n+        if (!in_time)"


class GateTest(unittest.TestCase):
    def read(self, text):
        with tempfile.TemporaryDirectory() as directory:
            path = pathlib.Path(directory) / "some.txt"
            path.write_text(text)
            return mutants.read(path.parent)

    def run_text(self, text):
        return mutants.run(ROOT, build_directory, self.read(text), 2000)

    def verdict(self, text):
        verdicts, errors = self.run_text(text)
        self.assertEqual([], [str(error) for error in errors])
        return verdicts[0]

    def error(self, text):
        verdicts, errors = self.run_text(text)
        self.assertEqual([], verdicts)
        return str(errors[0])

    def judge(self, survivors, explained):
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            good = gate.judge(survivors, explained)
        return good, printed.getvalue()

    # ---- What becomes of a mutant

    def test_a_bug_is_noticed(self):
        verdict = self.verdict(mutant(WAKE))
        self.assertEqual("deadlock or lost wake-up", verdict.found)
        self.assertIn("parker:", verdict.scenario)
        self.assertGreater(verdict.executions, 0)
        self.assertEqual([], gate.survivors_of([verdict]))

    def test_a_change_of_nothing_survives(self):
        verdict = self.verdict(mutant(NOTHING))
        self.assertFalse(verdict.noticed)
        good, printed = self.judge(gate.survivors_of([verdict]), {})
        self.assertFalse(good)
        self.assertIn("SURVIVES: mutant: it", printed)

    def test_a_bug_noticed_in_another_way_than_said_survives(self):
        verdict = self.verdict(mutant(WAKE, head="noticed: data race"))
        self.assertFalse(verdict.noticed)
        self.assertIn("not how it has to be noticed", gate.survivors_of([verdict])[0][1])

    def test_an_execution_without_end_is_no_finding(self):
        verdict = self.verdict(mutant(ENDLESS))
        self.assertFalse(verdict.noticed)
        self.assertRegex(verdict.remark, "step bound|model limit")

    def test_a_change_of_a_header_is_built_in(self):
        hunk = ("file: src/platform/spin.h\n-    if (spin->rounds >= PLC_SPIN_PAUSE_ROUNDS + PLC_SPIN_YIELD_ROUNDS)\n"
                "+    if (plc_os_fatal(\"\", spin, \"changed\"), true)")
        verdict = self.verdict(mutant(hunk, programs="word_lock"))
        self.assertEqual("assertion", verdict.found)
        self.assertIn("changed", verdict.output)

    # ---- Mutants that have rotted

    def test_text_that_is_not_there(self):
        self.assertIn("0 places", self.error(mutant(f"file: {PARKER}\n-    no such line();\n+    ;")))

    def test_text_that_is_there_several_times(self):
        self.assertRegex(self.error(mutant(f"file: {PARKER}\n-}}\n+;")), "[1-9][0-9] places")

    def test_a_part_of_a_line_is_not_the_line(self):
        self.assertIn("0 places", self.error(mutant(f"file: {PARKER}\n-plc_os_futex_wake(word, 1);\n+    ;")))

    def test_a_file_that_is_not_there(self):
        self.assertIn("there is no", self.error(mutant("file: src/none.c\n-a\n+b")))

    def test_a_program_that_is_not_there(self):
        self.assertIn("no program", self.error(mutant(WAKE, programs="none")))

    def test_a_program_without_the_file(self):
        self.assertIn("does not contain",
                      self.error(mutant("file: src/sync/once.c\n-    NEW = 0u,\n+    NEW = 0,")))

    def test_text_that_does_not_compile(self):
        self.assertIn("does not compile", self.error(mutant(WAKE.replace("(void)word;", "none();;("))))

    def test_the_form(self):
        for text, complaint in (("mutants: it\n", "neither of"), ("mutant: it\n-a\n", "of which file"),
                                (mutant(WAKE) + mutant(WAKE), "two mutants"), ("mutant: it\nprograms: parker\n", "no file"),
                                (mutant(WAKE, head="noticed: step bound"), "noticed as what")):
            with self.assertRaisesRegex(mutants.MutantError, complaint):
                self.read(text)

    # ---- What is explained

    def test_an_explained_survivor_is_let_through_once(self):
        survivor = ("mutant: it", "it")
        self.assertTrue(self.judge([survivor], {"mutant: it": 1})[0])
        self.assertFalse(self.judge([survivor, survivor], {"mutant: it": 1})[0])

    def test_explained_in_vain(self):
        good, printed = self.judge([], {"mutant: it": 1})
        self.assertFalse(good)
        self.assertIn("IN VAIN", printed)

    def test_too_many_explained(self):
        names = [f"mutant: {i}" for i in range(gate.MOST_SURVIVORS + 1)]
        self.assertFalse(self.judge([(name, name) for name in names], dict.fromkeys(names, 1))[0])

    # ---- The mutants that there are

    def test_ours_can_be_read_and_applied(self):
        ours = mutants.read(gate.MUTANTS)
        self.assertGreater(len(ours), 40)
        for each in ours:
            self.assertTrue(mutants.apply(each, ROOT))


if __name__ == "__main__":
    if len(sys.argv) > 1 and not sys.argv[1].startswith("-"):
        build_directory = pathlib.Path(sys.argv.pop(1))
    unittest.main()
