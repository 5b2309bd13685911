# SPDX-License-Identifier: MIT OR Apache-2.0
"""What a report says of a process: locks and conds with names, times in seconds, and places with functions and lines."""
import os
import re
from dataclasses import dataclass

from . import region as raw
from .symbols import Symbols

MUTEX_KINDS = {0: "normal", 1: "recursive", 2: "errorcheck", 3: "adaptive"}
SIZES = {raw.MUTEX: 40, raw.RWLOCK: 56, raw.COND: 48}  # glibc on 64-bit machines
WRAPPER = re.compile(r"mutex|lock|cond|__gthr|monitor|critical", re.IGNORECASE)
RWLOCK_KINDS = {0: "prefer reader", 1: "prefer writer", 2: "prefer writer, nonrecursive"}


@dataclass
class Place:
    frames: list  # innermost first
    addresses: tuple
    share: float  # of the lock's waiting
    waits: float
    seconds: float


@dataclass
class Lock:
    address: int
    type: str
    kind: str
    name: str
    file: str  # of a variable
    is_named: bool
    is_initialised: bool
    is_destroyed: bool
    is_retired: bool
    lives: int
    origin: list
    acquisitions: int
    waits: int
    timeouts: int
    waiting: int
    notified: int
    total: float
    mean: float
    p50: float
    p99: float
    longest: float
    longest_frames: list
    held: float
    longest_hold: float
    hold_frames: list
    places: list

    def maker(self):
        """The innermost function of its origin that is not a lock's own, or its wrapper's."""
        for frame in self.origin:
            if not WRAPPER.search(frame.function.rsplit("::", 1)[-1]):
                return frame
        return self.origin[0] if self.origin else None

    def label(self):
        """What it is called among others: locks without a name, by who made them."""
        maker = self.maker()
        if self.is_named:
            return f"{self.type} {self.name}"
        return f"{self.type} of {maker.function}" if maker and self.is_initialised else self.name

    def contended(self):
        """The share of acquisitions that had to wait."""
        return min(1.0, self.waits / self.acquisitions) if self.acquisitions else 0.0


def grouped(locks):
    """Those that were made at one place, together: (locks, where), the longest waits first."""
    groups = {}
    for lock in locks:
        key = tuple(lock.origin[:3]) if lock.origin else lock.address
        groups.setdefault(key, []).append(lock)
    return sorted(groups.values(), key=lambda group: -sum(lock.total for lock in group))


@dataclass
class Process:
    pid: int
    parent: int
    is_forked: bool
    command: list
    seconds: float
    memory: int
    lock_count: int
    acquisitions: int
    locks: list  # those with waits, worst first
    conds: list
    dropped: dict
    modules: list
    unknown_seconds: float

    def waits(self):
        return sum(lock.waits for lock in self.locks)

    def waited(self):
        return sum(lock.total for lock in self.locks)

    def program(self):
        return os.path.basename(self.command[0]) if self.command and self.command[0] else "?"


def type_and_kind(details):
    kind = details.kind & 0x0F
    if details.type == raw.COND:
        return "cond", ""
    if details.type == raw.RWLOCK:
        return "rwlock", RWLOCK_KINDS.get(kind, "")
    if details.kind & raw.FOREIGN:
        return "mutex", MUTEX_KINDS.get(kind & 3, "") + ", glibc's own"
    return "mutex", MUTEX_KINDS.get(kind & 3, "")


class Builder:
    def __init__(self, region):
        self.region = region
        self.symbols = Symbols(region.modules)
        self.symbols.learn(address - 1 for stack in region.stacks.values() for address in stack)

    def frames(self, number):
        return self.symbols.frames(self.region.stacks.get(number, ()))

    def seconds(self, ticks):
        return ticks / self.region.ticks_per_second

    def places(self, details):
        """Those of one place added up. The lock's total is exact: it is divided as the samples say."""
        sampled = sum(ticks for _, _, ticks in details.sites)
        together = {}
        for number, weight, ticks in details.sites:
            stack = self.region.stacks.get(number, ())
            row = together.setdefault(stack, [0, 0])
            row[0] += weight
            row[1] += ticks
        weights = sum(row[0] for row in together.values())
        found = [Place(self.symbols.frames(stack), stack, ticks / sampled if sampled else 0,
                       details.count * weight / weights, self.seconds(details.total) * ticks / sampled if sampled else 0)
                 for stack, (weight, ticks) in together.items()]
        return sorted(found, key=lambda place: -place.seconds)

    def lock(self, details):
        kind, detail = type_and_kind(details)
        variable = self.symbols.variable(details.object, SIZES[details.type])
        name = details.name or (variable[0] if variable and variable[0] else "")
        total = self.seconds(details.total)
        return Lock(
            address=details.object, type=kind, kind=detail, name=name or f"{kind} {details.object:#x}",
            file=variable[1] if variable else "", is_named=bool(name),
            is_initialised=bool(details.kind & raw.INITIALISED), is_destroyed=bool(details.kind & raw.DESTROYED),
            is_retired=details.is_retired, lives=details.lives, origin=self.frames(details.origin),
            acquisitions=details.acquisitions, waits=details.count, timeouts=details.timeouts, waiting=details.waiting,
            notified=details.notified, total=total, mean=total / details.count if details.count else 0,
            p50=self.seconds(raw.percentile(details.buckets, 0.5, details.longest)),
            p99=self.seconds(raw.percentile(details.buckets, 0.99, details.longest)),
            longest=self.seconds(details.longest), longest_frames=self.frames(details.longest_stack),
            held=self.seconds(details.held), longest_hold=self.seconds(details.longest_hold),
            hold_frames=self.frames(details.hold_stack), places=self.places(details))

    def process(self):
        region = self.region
        objects = sorted((self.lock(d) for d in region.details if d.count or d.waiting), key=lambda lock: -lock.total)
        return Process(
            pid=region.pid, parent=region.parent, is_forked=region.is_forked, command=region.command,
            seconds=region.seconds, memory=region.memory, lock_count=region.locks, acquisitions=region.acquisitions,
            locks=[o for o in objects if o.type != "cond"], conds=[o for o in objects if o.type == "cond"],
            dropped=region.dropped, modules=region.modules, unknown_seconds=self.seconds(region.unknown.total))


def load(path):
    return Builder(raw.read(path)).process()
