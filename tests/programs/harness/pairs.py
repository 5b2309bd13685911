# SPDX-License-Identifier: MIT OR Apache-2.0
"""Judges the ratios of interleaved pairs of runs: is one way really slower, or is it noise?"""

import dataclasses
import math
import random
import statistics

RESAMPLES = 4000
SIGNIFICANT = 0.05


@dataclasses.dataclass
class Judgement:
    pairs: int
    median: float
    low: float  # a 95 % bootstrap interval of the median
    high: float
    slower_by_sign: float  # how likely so many ratios below 1 would be if neither way were slower

    @property
    def is_slower(self):
        return self.high < 1 and self.slower_by_sign <= SIGNIFICANT


def sign_test(ratios):
    """One-sided: the probability of at least as many ratios below 1, if below and above were equally likely."""
    decided = [ratio for ratio in ratios if ratio != 1]
    below = sum(ratio < 1 for ratio in decided)
    return sum(math.comb(len(decided), k) for k in range(below, len(decided) + 1)) / 2 ** len(decided)


def judge(ratios, seed=1):
    """ratios: of each pair, libplc's speed to glibc's."""
    chooser = random.Random(seed)
    medians = sorted(statistics.median(chooser.choices(ratios, k=len(ratios))) for _ in range(RESAMPLES))
    return Judgement(len(ratios), statistics.median(ratios), medians[int(0.025 * RESAMPLES)],
                     medians[int(0.975 * RESAMPLES) - 1], sign_test(ratios))


def orders(pairs, seed):
    """For each pair which way comes first: both equally often, in an order that nothing on the machine follows."""
    ways = [("glibc", "libplc"), ("libplc", "glibc")]
    chooser = random.Random(seed)
    found = []
    while len(found) < pairs:
        chooser.shuffle(ways)
        found += ways
    return found[:pairs]
