# SPDX-License-Identifier: MIT OR Apache-2.0
"""Runs modules of CPython's own test suite and writes the result of each test into a file.

    python_suites.py FILE MODULE..."""

import json
import sys
import unittest

ENDS = {"addSuccess": "ok", "addFailure": "failure", "addError": "error", "addSkip": "skipped",
        "addExpectedFailure": "expected failure", "addUnexpectedSuccess": "unexpected success"}


class Recorder(unittest.TextTestResult):
    """Remembers how each test ended; a failing sub-test makes its test a failure."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.ends = {}

    def addSubTest(self, test, subtest, error):
        super().addSubTest(test, subtest, error)
        if error is not None:
            self.ends[test.id()] = "failure"


def recording(name, end):
    def method(self, test, *arguments):
        getattr(super(Recorder, self), name)(test, *arguments)
        self.ends.setdefault(test.id(), end)

    return method


for name, end in ENDS.items():
    setattr(Recorder, name, recording(name, end))


def main():
    suite = unittest.defaultTestLoader.loadTestsFromNames([f"test.{module}" for module in sys.argv[2:]])
    result = unittest.TextTestRunner(resultclass=Recorder, verbosity=2).run(suite)
    with open(sys.argv[1], "w", encoding="utf-8") as file:
        json.dump(result.ends, file, indent=1, sort_keys=True)
    sys.exit(0 if result.wasSuccessful() else 1)


# The children of the concurrent.futures tests import this file anew.
if __name__ == "__main__":
    main()
