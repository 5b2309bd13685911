# SPDX-License-Identifier: MIT OR Apache-2.0
"""pprof's text format for contention: `pprof PROGRAM FILE`, go tool pprof, google-pprof and speedscope open it."""


def render(process, top, is_running):
    del top, is_running
    out = ["--- contention:", "cycles/second=1000000000", "sampling period=1"]
    for lock in process.locks:
        for place in lock.places:
            addresses = " ".join(f"{address:#x}" for address in place.addresses)
            out.append(f"{round(place.seconds * 1e9)} {max(1, round(place.waits))} @ {addresses}")
    out += ["", "MAPPED_LIBRARIES:"]
    for begin, end, offset, path in sorted(process.modules):
        out.append(f"{begin:x}-{end:x} r-xp {offset:08x} 00:00 0 {path}")
    return "\n".join(out) + "\n"
