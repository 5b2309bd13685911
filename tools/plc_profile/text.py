# SPDX-License-Identifier: MIT OR Apache-2.0
"""A report for terminals, at most 80 columns wide."""
import os
import textwrap

from .model import grouped
from .units import count, fit, memory, percent, plural, time

WIDTH = 80
ROWS, PLACES, FRAMES = 25, 3, 6
LEAST = 0.01  # of a lock's waiting: smaller places are added up


def render(process, top, is_running):
    out = []
    head(out, process, is_running)
    table(out, "Locks waited for", process.locks, is_cond=False)
    families(out, process.locks)
    for number, lock in enumerate(process.locks[:top], 1):
        lock_in_full(out, number, lock, process)
    if process.conds:
        out += ["", "", "Waits for conds are apart: a thread that has nothing to do waits there, too."]
        table(out, "Conds waited for", process.conds, is_cond=True)
        for number, cond in enumerate(process.conds[:top], 1):
            cond_in_full(out, number, cond)
    notes(out, process, top)
    return "\n".join(part for text in out for part in folded(text.rstrip())) + "\n"


def folded(text):
    """Most lines fit; those with many large numbers go on below their second column."""
    return textwrap.wrap(text, WIDTH, subsequent_indent=" " * 15, break_long_words=False) or [""]


def head(out, process, is_running):
    command = " ".join(process.command)
    state = "so far" if is_running else "in all"
    out.append("=" * WIDTH)
    out.append(fit(f"Lock profile of {command}", WIDTH))
    origin = f", forked by {process.parent}" if process.is_forked else ""
    out.append(f"process {process.pid}{origin}; {time(process.seconds)} {state}")
    out.append("")
    share = process.waits() / process.acquisitions if process.acquisitions else 0
    waited = process.waited()
    out.append(f"{plural(process.acquisitions, 'acquisition')} of {plural(process.lock_count, 'lock')}; "
               f"{count(process.waits())} had to wait ({percent(share)}){',' if waited else '.'}")
    if waited:
        busy = waited / process.seconds if process.seconds else 0
        out.append(f"{time(waited)} in all: on the average, {busy:.2f} threads were waiting for a lock.")


def table(out, heading, rows, is_cond):
    out += ["", ""]
    if not rows:
        out.append("No thread waited for a lock.")
        return
    total = sum(row.total for row in rows)
    last = "notified" if is_cond else "contended"
    out.append(f"{heading:<26}{'waited':>9}{'share':>8}{'waits':>9}{'p50':>9}{'p99':>9}{last:>10}")
    out.append("-" * WIDTH)
    for number, row in enumerate(rows[:ROWS], 1):
        share = percent(row.total / total) if total else "0 %"
        end = count(row.notified) if is_cond else percent(row.contended())
        out.append(f"{number:>2} {fit(row.name, 22):<23}{time(row.total):>9}{share:>8}{count(row.waits):>9}"
                   f"{time(row.p50):>9}{time(row.p99):>9}{end:>10}")
    if len(rows) > ROWS:
        rest = sum(row.total for row in rows[ROWS:])
        more = f"   and {len(rows) - ROWS} more"
        out.append(f"{more:<26}{time(rest):>9}")


def families(out, locks):
    """Programs make locks by the dozen: a shard's is of no interest, all shards' are."""
    groups = grouped(locks)
    if all(len(group) == 1 for group in groups):
        return
    total = sum(lock.total for lock in locks)
    out += ["", f"{'Made at one place':<53}{'waited':>9}{'share':>8}{'waits':>10}", "-" * WIDTH]
    for group in groups[:ROWS]:
        waited = sum(lock.total for lock in group)
        maker = group[0].maker()
        where = maker.function if maker else group[0].name
        out.append(f"   {plural(len(group), group[0].type):<12}{fit(where, 37):<38}{time(waited):>9}{percent(waited / total) if total else '0 %':>8}"
                   f"{count(sum(lock.waits for lock in group)):>10}")


def lock_in_full(out, number, lock, process):
    title(out, number, lock)
    out.append(f"   {'taken':<12}{count(lock.acquisitions)} times, contended {count(lock.waits)} "
               f"({percent(lock.contended())}){trouble(lock)}")
    waits(out, lock)
    held = lock.held / process.seconds if process.seconds else 0
    since = f"{time(lock.held)} ({percent(held)} of the time) since the first wait, " if lock.held else ""
    out.append(f"   {'held':<12}{since}longest {time(lock.longest_hold)}")
    places(out, "waits", lock)
    stack(out, "longest wait", lock.longest_frames, lock)
    if lock.hold_frames:
        stack(out, "longest hold ended", lock.hold_frames, None)


def cond_in_full(out, number, cond):
    title(out, number, cond)
    out.append(f"   {'waits':<12}{count(cond.waits)}, {count(cond.timeouts)} without being woken; "
               f"signalled {count(cond.notified)} times{waiting(cond)}")
    waits(out, cond)
    places(out, "waits", cond)


def waiting(lock):
    return f"; {lock.waiting} waiting now" if lock.waiting else ""


def trouble(lock):
    return (f"; {count(lock.timeouts)} gave up" if lock.timeouts else "") + waiting(lock)


def title(out, number, lock):
    kind = f"{lock.type}, {lock.kind}" if lock.kind else lock.type
    out += ["", "", fit(f"{number}. {lock.name}", WIDTH - len(kind) - 2) + f"  {kind}", ""]
    where = f"{lock.address:#x}"
    if lock.file:
        where += f" in {os.path.basename(lock.file)}"
    if lock.is_retired:
        where += ", whose memory belongs to another lock now"
    elif lock.is_destroyed:
        where += ", destroyed"
    if lock.lives > 1:
        where += f", initialised {count(lock.lives)} times"
    out.append(fit(f"   {'at':<12}{where}", WIDTH))
    origin = lock.maker() if lock.is_initialised else next(iter(lock.origin), None)
    if origin:
        line(out, f"   {'made in' if lock.is_initialised else 'first used':<12}", [origin])


def waits(out, lock):
    out.append(f"   {'waited':<12}{time(lock.total)}: mean {time(lock.mean)}, p50 {time(lock.p50)}, "
               f"p99 {time(lock.p99)}, longest {time(lock.longest)}")


def places(out, what, lock):
    shown = [place for place in lock.places[:PLACES] if place.share >= LEAST]
    for place in shown:
        out.append("")
        line(out, f"{percent(place.share):>8} {what} in ", place.frames[:1])
        for frame in outer(place.frames):
            line(out, " " * 12 + "called by ", [frame])
    if 0 < len(shown) < len(lock.places):
        rest = sum(place.share for place in lock.places[len(shown):])
        out += ["", f"{percent(rest):>8} elsewhere: other places, {len(lock.places) - len(shown)} of them"]


def stack(out, label, frames, lock):
    """Not if it is shown among the places anyway."""
    if not frames or (lock is not None and frames in [place.frames for place in lock.places[:PLACES] if place.share >= LEAST]):
        return
    out.append("")
    line(out, f"   {label} in ", frames[:1])
    for frame in outer(frames):
        line(out, " " * 12 + "called by ", [frame])


def outer(frames):
    """The callers, without what every thread begins with."""
    dull = {"start_thread", "__clone3", "clone3", "clone", "__libc_start_call_main", "__libc_start_main",
            "__libc_start_main_impl", "__libc_start_main@@GLIBC_2.34", "_start"}
    return [frame for frame in frames[1:] if frame.function not in dull][:FRAMES]


def line(out, lead, frames):
    for frame in frames:
        place = frame.place()
        room = WIDTH - len(lead) - len(place) - 2
        out.append(f"{lead}{fit(frame.function, room) if room > 8 else frame.function}  {place}"[:WIDTH])


def notes(out, process, top):
    dropped = process.dropped
    out += ["", ""]
    if len(process.locks) > top:
        out.append(f"The first {top} locks are shown in full; --top changes that.")
    if dropped["locks"] or dropped["acquisitions"]:
        out.append(f"Dropped, because there was no room: {count(dropped['locks'])} locks or more; "
                   f"{count(dropped['acquisitions'])} acquisitions")
    if dropped["waits"]:
        out.append(f"Dropped: the details of {count(dropped['waits'])} waits ({time(process.unknown_seconds)})")
    for what in ("stacks", "places", "modules"):
        if dropped[what]:
            out.append(f"Dropped: {count(dropped[what])} {what}")
    out.append(f"The profile takes {memory(process.memory)} of memory.")
