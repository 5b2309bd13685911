# SPDX-License-Identifier: MIT OR Apache-2.0
"""What a file of the catalogue says about its program."""

import dataclasses
from typing import Callable


@dataclasses.dataclass
class Measure:
    """A speed: a throughput, or, if the unit is 's', a time."""
    label: str
    value: float
    unit: str

    def speed_relative_to(self, other):
        """Above 1 if this one is faster."""
        return other.value / self.value if self.unit == "s" else self.value / other.value


@dataclasses.dataclass
class Result:
    """What a run made, which must be the same on glibc and on libplc, and how fast."""
    outcome: object
    measures: list = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class Program:
    """A program that was not written for libplc.

    packages  what it needs, in the form of ensure_packages (scripts/lib/packages.sh)
    checks    what is checked, as a sentence for the reader of the table
    run       does one harness.run.Run and returns its Result, or raises a Failure
    is_bar    whether its speed is one of those that must not be below glibc's
    """
    name: str
    packages: tuple
    checks: str
    run: Callable
    is_bar: bool = False
