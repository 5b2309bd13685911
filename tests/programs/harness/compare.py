# SPDX-License-Identifier: MIT OR Apache-2.0
"""Runs one program on glibc and on libplc in turn, and says whether anything differed."""

import dataclasses
import pathlib
import time

from . import pairs, processes
from .run import Counts, Failure, Hang, Run


@dataclasses.dataclass
class Options:
    plc_run: str
    shared: str  # a directory for what several runs use
    logs: pathlib.Path  # where the story of failures and hangs goes
    pairs: int
    repeat: int
    scale: str
    limit: int
    seed: int
    say: object  # called with each line of progress


@dataclasses.dataclass
class Comparison:
    """All that is known about one program."""
    name: str
    checks: str
    is_bar: bool
    runs: int = 0  # on libplc
    hangs: int = 0
    failures: list = dataclasses.field(default_factory=list)
    counts: Counts = dataclasses.field(default_factory=Counts)
    glibc: list = dataclasses.field(default_factory=list)  # the measures of each run, one list for each
    libplc: list = dataclasses.field(default_factory=list)
    used: dict = dataclasses.field(default_factory=lambda: {"glibc": [], "libplc": []})

    @property
    def is_good(self):
        return not self.failures and self.hangs == 0

    def labels(self):
        return [measure.label for measure in (self.glibc or [[]])[0]]

    def values(self, way, index):
        return [measures[index].value for measures in getattr(self, way)]

    def unit(self, index):
        return self.glibc[0][index].unit

    def ratios(self, index):
        return [ours[index].speed_relative_to(theirs[index]) for theirs, ours in zip(self.glibc, self.libplc)]

    def judgement(self, index):
        return pairs.judge(self.ratios(index))


class Comparer:
    def __init__(self, program, options):
        self.program, self.options = program, options
        self.comparison = Comparison(program.name, program.checks, program.is_bar)
        self.expected = None  # what glibc made

    def once(self, way, number, scale, counting=False):
        """One run: returns its result, or None if it failed or hung. The log then has the story."""
        options, comparison = self.options, self.comparison
        run = Run(way, options.plc_run, scale, counting, options.limit, f"{options.seed}.{number}", options.shared)
        comparison.runs += way == "libplc"
        start = time.monotonic()
        try:
            result = self.program.run(run)
            if counting:
                self._take_counts(run)
            self._check_outcome(way, scale, result)
            comparison.used[way].append((run.processor_seconds, run.switches))
            options.say(f"{self.program.name} {way}{' (counting)' if counting else ''}: {time.monotonic() - start:.1f} s "
                        + "; ".join(f"{m.label} {m.value:.4g} {m.unit}" for m in result.measures))
            return result
        except (Hang, TimeoutError) as error:
            comparison.hangs += way == "libplc"
            self._tell(f"{way}: hang: {error}", processes.explain_hang())
            if way == "glibc":
                comparison.failures.append(f"glibc hung: {error}")
        except (Failure, OSError, ValueError) as error:
            self._tell(f"{way}: {error}", "")
            comparison.failures.append(f"{way}: {str(error).splitlines()[0]}")
        finally:
            run.close()
        return None

    def _take_counts(self, run):
        self.comparison.counts = counts = run.counts()
        if counts.served + counts.left_to_glibc == 0:
            raise Failure("no process said that libplc served it")

    def _check_outcome(self, way, scale, result):
        if self.expected is None or self.expected[0] != scale:
            self.expected = (scale, result.outcome)
        elif result.outcome != self.expected[1]:
            self._tell(f"{way}: another result", f"expected {self.expected[1]}\n\nfound {result.outcome}")
            raise Failure("another result than glibc's")

    def _tell(self, headline, story):
        self.options.logs.mkdir(parents=True, exist_ok=True)
        name = f"{self.program.name}.{len(list(self.options.logs.glob(self.program.name + '.*')))}.log"
        path = self.options.logs / name
        path.write_text(f"seed {self.options.seed}\n{headline}\n\n{story}\n", encoding="utf-8")
        self.options.say(f"{self.program.name} {headline.splitlines()[0]} (see {path})")

    def compare(self):
        """The result on glibc, the proof that libplc's locks serve it, and pairs of runs."""
        options, comparison = self.options, self.comparison
        if self.once("glibc", 0, "short") is None:
            return comparison
        self.once("libplc", 0, "short", counting=True)
        for number, order in enumerate(pairs.orders(options.pairs, options.seed), 1):
            results = {way: self.once(way, number, options.scale) for way in order}
            if all(results.values()):
                comparison.glibc.append(results["glibc"].measures)
                comparison.libplc.append(results["libplc"].measures)
        return comparison

    def hunt_hangs(self):
        """Many short runs on libplc."""
        options, comparison = self.options, self.comparison
        if self.once("glibc", 0, "short") is None:
            return comparison
        self.once("libplc", 0, "short", counting=True)
        for number in range(1, options.repeat + 1):
            self.once("libplc", number, "short")
            if len(comparison.failures) + comparison.hangs > 5:
                break  # enough to look at
        return comparison
