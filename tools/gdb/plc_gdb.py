# SPDX-License-Identifier: MIT OR Apache-2.0
"""What gdb shows of libplc: its locks printed in words, and the commands `plc locks` and `plc waiters`.

gdb loads this by itself where it lies beside libplc.so and that directory is in its auto-load safe-path; else:
`source plc_gdb.py`. It needs no debug information of libplc: the library describes itself (plc_debug_layout_lot_ and its
like), so it works on stripped libraries and on core files."""
import time

import gdb

KINDS = {0: "park", 1: "mutex", 2: "rwlock", 3: "rwlock", 4: "condvar", 5: "once", 6: "rwlock_scalable", 7: "word",
         8: "mutex", 9: "rwlock"}
USER, MUTEX, RWLOCK, RWLOCK_DRAIN, CONDVAR, ONCE, READER_SLOT, WORD, MUTEX_TASK, RWLOCK_TASK, TASK_DUE = range(11)
MODES = {0: "", 1: " (to read)", 2: " (upgradable)", 3: " (to read)"}
LAYOUT_VERSION = 1


# ---- Memory


class Memory:
    """Reads the inferior's memory, live or dumped."""

    def __init__(self):
        self.inferior = gdb.selected_inferior()
        self.word = gdb.lookup_type("unsigned long").sizeof

    def number(self, address, size=None):
        return int.from_bytes(bytes(self.inferior.read_memory(address, size or self.word)), "little")

    def signed(self, address, size):
        return int.from_bytes(bytes(self.inferior.read_memory(address, size)), "little", signed=True)

    def text(self, address, size):
        return bytes(self.inferior.read_memory(address, size)).split(b"\0")[0].decode("utf-8", "replace")


def address_of(symbol):
    """The address of one of the library's symbols, or None."""
    try:
        return int(gdb.parse_and_eval(f"(unsigned long)&{symbol}"))
    except gdb.error:
        return None


class Layout:
    """One of the structures by which the library describes itself: words, in the order of `names`."""

    def __init__(self, memory, symbol, names):
        base = address_of(symbol)
        if base is None:
            raise LookupError
        for i, name in enumerate(("version",) + names):
            setattr(self, name, memory.number(base + i * memory.word))
        if self.version != LAYOUT_VERSION:
            raise gdb.GdbError(f"plc: this libplc describes itself in version {self.version}, and plc_gdb.py knows "
                               f"{LAYOUT_VERSION}: use the one that was installed with it")


LOT = ("current_table", "first_table", "table_buckets", "table_bits", "table_larger", "bucket_size", "bucket_head",
       "bucket_has_moved", "waiter_next", "waiter_address", "waiter_kind", "waiter_token", "waiter_thread_id",
       "waiter_began_at")
NAMES = ("table", "capacity", "bytes", "objects", "versions", "texts")
RWLOCKS = ("upgradable", "writer", "reader")
OWNERS = ("shards", "count", "shard_size", "shard_owners", "owner_next", "owner_lock", "owner_thread_id", "owner_mode")


def optional(memory, symbol, names):
    try:
        return Layout(memory, symbol, names)
    except LookupError:
        return None


# ---- The lot


class Waiter:
    def __init__(self, memory, lot, rwlocks, node):
        self.rwlocks = rwlocks
        self.key = memory.number(node + lot.waiter_address)
        self.kind = memory.number(node + lot.waiter_kind, 4)
        self.token = memory.number(node + lot.waiter_token)
        self.thread_id = memory.number(node + lot.waiter_thread_id, 8)
        self.began_at = memory.signed(node + lot.waiter_began_at, 8)
        self.object = {RWLOCK_DRAIN: self.key - 1, READER_SLOT: self.token}.get(self.kind, self.key)

    def wish(self):
        if self.kind in (RWLOCK_DRAIN, READER_SLOT):
            return ", to write, for the readers to leave"
        if self.kind not in (RWLOCK, RWLOCK_TASK) or not self.rwlocks:
            return ""
        return {self.rwlocks.writer: ", to write", self.rwlocks.reader: ", to read"}.get(self.token, ", upgradable")


def waiters_of_bucket(memory, lot, rwlocks, bucket):
    seen = set()
    node = memory.number(bucket + lot.bucket_head)
    while node and node not in seen:  # somebody may have been stopped halfway through a change of the queue
        seen.add(node)
        yield Waiter(memory, lot, rwlocks, node)
        node = memory.number(node + lot.waiter_next)


def waiters_of_table(memory, lot, rwlocks, table, first, last):
    buckets = memory.number(table + lot.table_buckets)
    bits = memory.number(table + lot.table_bits, 4)
    for i in range(first, (1 << bits) if last is None else last):
        bucket = buckets + i * lot.bucket_size
        if memory.number(bucket + lot.bucket_has_moved, 1):
            larger = memory.number(table + lot.table_larger)
            more = memory.number(larger + lot.table_bits, 4) - bits
            yield from waiters_of_table(memory, lot, rwlocks, larger, i << more, (i + 1) << more)
        else:
            yield from waiters_of_bucket(memory, lot, rwlocks, bucket)


class Process:
    """What is to be known of one inferior, read anew for each command."""

    def __init__(self):
        self.memory = Memory()
        self.lot = optional(self.memory, "plc_debug_layout_lot_", LOT)
        if not self.lot:
            raise gdb.GdbError("plc: there is no libplc in this program, or it is not loaded yet")
        self.threads = {thread.ptid[1] or thread.ptid[0]: thread for thread in self.memory.inferior.threads()}
        self.names = self.read_names()
        self.has_dropin = has_dropin()
        table = self.memory.number(self.lot.current_table) or self.lot.first_table
        self.rwlocks = optional(self.memory, "plc_debug_layout_rwlock_", RWLOCKS)
        found = waiters_of_table(self.memory, self.lot, self.rwlocks, table, 0, None)
        self.waiters = [waiter for waiter in found if waiter.kind != TASK_DUE]
        self.now = self.read_clock()

    def read_clock(self):
        """The clock of the waiters, if they run on this machine; a core's has stopped."""
        connection = getattr(self.memory.inferior, "connection", None)
        live = connection is not None and connection.type == "native"
        return time.clock_gettime_ns(time.CLOCK_MONOTONIC) if live else None

    def read_names(self):
        layout = optional(self.memory, "plc_debug_layout_names_", NAMES)
        names = {}
        for i in range(layout.capacity if layout else 0):
            item = self.memory.number(layout.table + layout.objects + i * self.memory.word)
            version = self.memory.number(layout.table + layout.versions + i * 4, 4)
            if item and version % 2 == 0:
                names[item] = self.memory.text(layout.table + layout.texts + i * layout.bytes, layout.bytes)
        return names

    def noted_holders(self, lock):
        """Those that code built with PLC_CHECKED has noted."""
        layout = optional(self.memory, "plc_debug_layout_owners_", OWNERS)
        found = []
        for i in range(layout.count if layout else 0):
            owner = self.memory.number(layout.shards + i * layout.shard_size + layout.shard_owners)
            while owner:
                if self.memory.number(owner + layout.owner_lock) == lock:
                    found.append((self.memory.number(owner + layout.owner_thread_id, 8),
                                  MODES.get(self.memory.number(owner + layout.owner_mode, 4), "")))
                owner = self.memory.number(owner + layout.owner_next)
        return found

    def pthread_holder(self, lock, kind):
        """The owner field, if this looks like an object of pthread's in a program that runs on the drop-in."""
        if not self.has_dropin:
            return []
        try:
            if kind == MUTEX:
                owner, right = self.memory.number(lock + 8, 4), (self.memory.number(lock + 16, 4) & ~0x300) <= 3
            elif kind == RWLOCK:
                owner, right = self.memory.number(lock + 24, 4), self.memory.number(lock + 28, 4) == 0
            else:
                return []
        except gdb.MemoryError:
            return []
        return [(owner, "")] if right and owner in self.threads else []

    def holders(self, lock, kind):
        return self.noted_holders(lock) or self.pthread_holder(lock, kind)

    def describe_thread(self, thread_id):
        thread = self.threads.get(thread_id)
        return f"thread {thread_id}" + (f' "{thread.name}"' if thread and thread.name else "")

    def describe_object(self, item, kind):
        name = f' "{self.names[item]}"' if item in self.names else ""
        return f"{KINDS.get(kind, 'unknown')} {item:#x}{name}"

    def describe_time(self, waiter):
        if self.now is None:
            return "waits"
        return f"has waited for {max(0, self.now - waiter.began_at) / 1e9:.3f} s"

    def describe_waiter(self, waiter):
        who = self.describe_thread(waiter.thread_id) if waiter.thread_id else "a task"
        return f"{who} {self.describe_time(waiter)}{waiter.wish()}"


def has_dropin():
    names = [objfile.filename or "" for objfile in gdb.objfiles()]
    return any("libplc_pthread" in name for name in names) or address_of("dropin_mutex_lock") is not None


# ---- The commands


def cycles(process):
    """Cycles of threads, each of which waits for a lock that the next one holds."""
    waits_for = {}
    for waiter in process.waiters:
        if waiter.kind in (MUTEX, RWLOCK) and waiter.thread_id:
            holders = [thread for thread, _ in process.holders(waiter.object, waiter.kind)]
            if holders:
                waits_for[waiter.thread_id] = (holders[0], waiter)
    found, done = [], set()
    for start in waits_for:
        path, thread = [], start
        while thread in waits_for and thread not in path and thread not in done:
            path.append(thread)
            thread = waits_for[thread][0]
        if thread in path:
            found.append([(t, waits_for[t][1]) for t in path[path.index(thread):]])
        done.update(path)
    return found


def report_locks(process, write):
    groups = {}
    for waiter in process.waiters:
        groups.setdefault((waiter.object, KINDS.get(waiter.kind)), []).append(waiter)
    for (item, _), waiters in groups.items():
        holders = [f"{process.describe_thread(thread)}{mode}" for thread, mode in
                   process.holders(item, waiters[0].kind)]
        held = f"; held by {', '.join(holders)}" if holders else ""
        write(f"{process.describe_object(item, waiters[0].kind)}: {len(waiters)} "
              f"{'waits' if len(waiters) == 1 else 'wait'}{held}\n")
        for waiter in waiters:
            write(f"    {process.describe_waiter(waiter)}\n")
    for cycle in cycles(process):
        write("deadlock:\n")
        for thread, waiter in cycle:
            write(f"    {process.describe_thread(thread)} waits for "
                  f"{process.describe_object(waiter.object, waiter.kind)}\n")
    write(f"{len(process.waiters)} {'waits' if len(process.waiters) == 1 else 'wait'} for {len(groups)} "
          f"{'object' if len(groups) == 1 else 'objects'}, of {len(process.threads)} threads\n")


def report_waiters(process, write):
    for waiter in process.waiters:
        write(f"{process.describe_waiter(waiter)}: {process.describe_object(waiter.object, waiter.kind)}\n")


def report_stacks(process, write):
    """The stacks of those who wait, and of those who hold what they wait for."""
    wanted = {waiter.thread_id for waiter in process.waiters}
    for waiter in process.waiters:
        wanted.update(thread for thread, _ in process.holders(waiter.object, waiter.kind))
    selected = gdb.selected_thread()
    for thread_id in sorted(wanted & set(process.threads)):
        process.threads[thread_id].switch()
        write(f"\n{process.describe_thread(thread_id)}:\n{gdb.execute('backtrace', to_string=True)}")
    if selected:
        selected.switch()


class PlcCommand(gdb.Command):
    """What threads do with libplc's locks: plc locks, plc waiters."""

    def __init__(self):
        super().__init__("plc", gdb.COMMAND_STATUS, prefix=True)


class LocksCommand(gdb.Command):
    """Shows each lock that is waited for: its name, who holds it (where known), who waits; and deadlocks.

plc locks [-stacks] [-output FILE]"""

    def __init__(self):
        super().__init__("plc locks", gdb.COMMAND_STATUS)

    def invoke(self, argument, from_tty):
        del from_tty
        arguments = gdb.string_to_argv(argument)
        file = arguments[arguments.index("-output") + 1] if "-output" in arguments[:-1] else None
        process = Process()
        lines = []
        report_locks(process, lines.append)
        if "-stacks" in arguments:
            report_stacks(process, lines.append)
        if file is None:
            gdb.write("".join(lines))
            return
        with open(file, "w", encoding="utf-8") as output:
            output.write("".join(lines))


class WaitersCommand(gdb.Command):
    """Shows each thread that waits in libplc's parking lot, and for what."""

    def __init__(self):
        super().__init__("plc waiters", gdb.COMMAND_STATUS)

    def invoke(self, argument, from_tty):
        del argument, from_tty
        report_waiters(Process(), gdb.write)


# ---- The printers


def waiting_for(value, *kinds):
    """How many wait for the lock at this value's address, in words; nothing if it has none, or nobody does."""
    if value.address is None:
        return ""
    try:
        count = sum(1 for w in Process().waiters if w.object == int(value.address) and w.kind in kinds)
    except (gdb.GdbError, gdb.MemoryError):
        return ""
    return f", {count} {'waits' if count == 1 else 'wait'}" if count else ""


def print_mutex(value):
    state = int(value["state"])
    if state > 3:
        return f"no mutex: {state:#x}"
    return ("locked" if state & 1 else "free") + waiting_for(value, MUTEX, MUTEX_TASK)


def print_rwlock(value):
    state = int(value["state"])
    bits = optional(Memory(), "plc_debug_layout_rwlock_", RWLOCKS)
    if not bits:
        return f"state {state:#x}"
    readers = state // bits.reader
    held = []
    if state & bits.writer:
        held.append("locked to write" if not readers else "a writer waits for the readers to leave")
    if state & bits.upgradable:
        held.append("upgradable")
    if readers:
        held.append(f"{readers} {'reads' if readers == 1 else 'read'}")
    return (", ".join(held) or "free") + waiting_for(value, RWLOCK, RWLOCK_TASK)


def print_condvar(value):
    state = int(value["state"])
    if not state:
        return "nobody waits"
    mutex = "" if state == 1 else f", with the mutex at {state:#x}"
    return (waiting_for(value, CONDVAR)[2:] or "somebody waits") + mutex


def print_once(value):
    state = int(value["state"])
    words = {0: "new", 1: "done", 2: "poisoned", 4: "running", 12: "running"}
    return words.get(state, f"no once: {state:#x}") + waiting_for(value, ONCE)


def print_pthread_mutex(value):
    data = value["__data"]
    kind, owner, state = int(data["__kind"]), int(data["__owner"]), int(data["__lock"]) & 0xff
    words = {0: "normal", 1: "recursive", 2: "errorcheck", 3: "adaptive"}
    if kind == -1:
        return "destroyed"
    if kind & 0xf0:
        return "glibc's to serve"
    held = f"locked by thread {owner}" if owner else "locked" if state & 1 else "free"
    if int(data["__count"]) > 1:
        held += f", {int(data['__count'])} times"
    return f"{words.get(kind & 0xf, 'unknown')}, {held}" + waiting_for(value, MUTEX)


PRINTERS = {"plc_mutex": print_mutex, "plc_rwlock": print_rwlock, "plc_condvar": print_condvar, "plc_once": print_once}


class Printer:
    def __init__(self, value, words):
        self.value, self.words = value, words

    def to_string(self):
        return "{" + self.words(self.value) + "}"


def look_up(value):
    kind = value.type.unqualified()
    while kind.code == gdb.TYPE_CODE_TYPEDEF:  # glibc's type has no tag, and maybe more than one name
        if kind.name == "pthread_mutex_t":
            return Printer(value, print_pthread_mutex) if has_dropin() else None
        kind = kind.target().unqualified()
    words = PRINTERS.get(kind.tag)
    return Printer(value, words) if words else None


look_up.name = "libplc"
look_up.enabled = True
if not any(getattr(printer, "name", None) == "libplc" for printer in gdb.pretty_printers):
    gdb.pretty_printers.append(look_up)
    PlcCommand()
    LocksCommand()
    WaitersCommand()
