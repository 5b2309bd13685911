# SPDX-License-Identifier: MIT OR Apache-2.0
"""Reads the memory of one profiled process; its layout is src/pthread/observe/profile/region.h."""
import os
import struct
from dataclasses import dataclass, field

MAGIC = 0x31464F5250434C50
VERSION = 1
LOCKS, WIDE_LOCKS, INDEX = 1_000_000, 1 << 16, 1 << 21
WAITS, BUCKETS, SITES = 4096, 224, 1 << 14
STACK_WORDS, STACK_INDEX, MODULES = 1 << 18, 1 << 14, 1024
WIDE_STRIDE = 64

HEADER = struct.Struct("<QIIII QQQQ IIIII I QQQQQ 256s")
MODULE = struct.Struct("<QQQ 232s")
SITE = struct.Struct("<QQQ")
DETAILS = struct.Struct(f"<QQQQQQQ IIII BB 48s 6x {BUCKETS}I")
LOCK = struct.Struct("<QQQQ III HBB")

HEADER_AT = 0
MODULES_AT = 4096
STACKS_AT = MODULES_AT + MODULES * MODULE.size
STACK_INDEX_AT = STACKS_AT + 8 * STACK_WORDS
SITES_AT = STACK_INDEX_AT + 4 * STACK_INDEX
DETAILS_AT = SITES_AT + SITES * SITE.size
INDEX_AT = DETAILS_AT + WAITS * DETAILS.size
LOCKS_AT = INDEX_AT + 4 * INDEX
SIZE = LOCKS_AT + WIDE_LOCKS * WIDE_STRIDE + (LOCKS + 1 - WIDE_LOCKS) * LOCK.size
SIZE += -SIZE % 8

MUTEX, RWLOCK, COND = 0, 1, 2
FOREIGN, INITIALISED, DESTROYED = 0x10, 0x20, 0x40


class Unreadable(Exception):
    """What was to be read is no profile."""


@dataclass
class Details:
    """Of an object that somebody waited for; times in ticks."""

    object: int
    count: int
    total: int
    longest: int
    held: int
    acquisitions: int
    notified: int
    longest_stack: int
    waiting: int
    timeouts: int
    origin: int
    type: int
    kind: int
    name: str
    buckets: tuple
    longest_hold: int = 0
    hold_stack: int = 0
    lives: int = 1
    is_retired: bool = True  # another lock has its address now
    sites: list = field(default_factory=list)  # (stack, weight, ticks)


@dataclass
class Region:
    """One process."""

    pid: int
    parent: int
    is_forked: bool
    command: list
    seconds: float
    ticks_per_second: float
    memory: int  # bytes in use
    locks: int
    acquisitions: int  # of locks: mutexes and rwlocks
    details: list
    unknown: Details  # waits for objects that there was no room for
    stacks: dict
    modules: list
    dropped: dict


def text_of(raw):
    return raw.split(b"\0", 1)[0].decode(errors="replace")


def read(path):
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return _Reader(descriptor).region()
    finally:
        os.close(descriptor)


class _Reader:
    def __init__(self, descriptor):
        self.descriptor = descriptor

    def bytes_at(self, offset, size):
        parts = []
        while size > 0:
            part = os.pread(self.descriptor, min(size, 1 << 20), offset)
            if not part:
                raise Unreadable("it is cut off")
            parts.append(part)
            offset += len(part)
            size -= len(part)
        return b"".join(parts)

    def region(self):
        status = os.fstat(self.descriptor)
        header = HEADER.unpack(self.bytes_at(HEADER_AT, HEADER.size))
        if header[0] != MAGIC or header[1] != VERSION or status.st_size != SIZE:
            raise Unreadable("it is not a profile of this version of libplc")
        (_, _, pid, parent, is_forked, ticks0, ns0, ticks1, ns1, locks, waits, sites, words, modules, _,
         dropped_acquisitions, dropped_locks, dropped_waits, dropped_stacks, dropped_sites, command) = header
        seconds = max(ns1 - ns0, 1) / 1e9
        self.words = struct.unpack(f"<{min(words, STACK_WORDS)}Q", self.bytes_at(STACKS_AT, 8 * min(words, STACK_WORDS)))
        details = self.details(min(waits, WAITS))
        self.add_sites(details)
        count, acquisitions = self.add_locks(min(locks, LOCKS + 1), details)
        live = [d for d in details[1:] if d.object != 0]
        acquisitions += sum(d.acquisitions for d in live if d.is_retired and d.type != COND) + dropped_acquisitions
        return Region(
            pid=pid, parent=parent, is_forked=bool(is_forked),
            command=[part.decode(errors="replace") for part in command.rstrip(b"\0").split(b"\0")],
            seconds=seconds, ticks_per_second=(ticks1 - ticks0) / seconds if ticks1 > ticks0 else 1e9,
            memory=status.st_blocks * 512, locks=count, acquisitions=acquisitions, details=live, unknown=details[0],
            stacks=self.stacks(live + details[:1]), modules=self.modules(min(modules, MODULES)),
            dropped={"acquisitions": dropped_acquisitions, "locks": dropped_locks, "waits": dropped_waits,
                     "stacks": dropped_stacks, "places": dropped_sites, "modules": max(0, modules - MODULES)})

    def details(self, count):
        found = []
        for fields in DETAILS.iter_unpack(self.bytes_at(DETAILS_AT, count * DETAILS.size)):
            found.append(Details(*fields[:13], name=text_of(fields[13]), buckets=fields[14:]))
        return found

    def add_sites(self, details):
        for key, weight, ticks in SITE.iter_unpack(self.bytes_at(SITES_AT, SITES * SITE.size)):
            if key != 0 and key >> 32 < len(details):
                details[key >> 32].sites.append((key & 0xFFFFFFFF, weight, ticks))

    def add_locks(self, count, details):
        """Completes the details; returns how many locks there are and how often they were taken, conds left out."""
        locks = acquisitions = 0
        wide = min(count, WIDE_LOCKS)
        rows = (LOCK.unpack_from(data) for data in self.strides(LOCKS_AT, WIDE_STRIDE, wide))
        narrow = LOCK.iter_unpack(
            self.bytes_at(LOCKS_AT + WIDE_LOCKS * WIDE_STRIDE, max(0, count - WIDE_LOCKS) * LOCK.size))
        for source in (rows, narrow):
            for obj, taken, _, hold, hold_stack, _, lives, waits, kind, flags in source:
                if obj == 0:
                    continue
                if kind != COND:
                    locks += 1
                    acquisitions += taken
                if 0 < waits < len(details):
                    row = details[waits]
                    row.is_retired, row.acquisitions, row.lives, row.kind = False, taken, lives, flags
                    row.longest_hold, row.hold_stack = hold, hold_stack
        return locks, acquisitions

    def strides(self, offset, stride, count):
        data = self.bytes_at(offset, stride * count)
        return (data[at:at + stride] for at in range(0, len(data), stride))

    def stacks(self, details):
        wanted = {s for d in details for s in (d.longest_stack, d.origin, d.hold_stack)}
        wanted |= {site[0] for d in details for site in d.sites}
        return {number: self.stack(number) for number in wanted if number != 0}

    def stack(self, number):
        if number >= len(self.words):
            return ()
        return self.words[number + 1:number + 1 + (self.words[number] & 0xFFFFFFFF)]

    def modules(self, count):
        rows = MODULE.iter_unpack(self.bytes_at(MODULES_AT, count * MODULE.size))
        return [(begin, end, offset, text_of(path)) for begin, end, offset, path in rows if path[0] != 0]


def bucket_bounds(bucket):
    """The ticks from which on and below which a wait falls into the bucket."""
    if bucket == 0:
        return 0, 256 + 32

    def lower(number):
        return (8 + number % 8) << (number // 8 + 5)

    return lower(bucket), lower(bucket + 1)


def percentile(buckets, share, longest):
    """The length in ticks that this share of the waits does not exceed: the middle of its bucket."""
    total = sum(buckets)
    if total == 0:
        return 0
    wanted, seen = share * total, 0
    for bucket, count in enumerate(buckets):
        seen += count
        if count and seen >= wanted:
            low, high = bucket_bounds(bucket)
            return min((low + high) // 2, longest)
    return longest
