# SPDX-License-Identifier: MIT OR Apache-2.0
"""Folded stacks, as flame graph tools and speedscope read them: outermost first, the lock last, and microseconds waited."""


def clean(text):
    return text.replace(";", ":").replace("\n", " ")


def rows(process):
    """Each stack with its lock, and the seconds waited there."""
    for lock in process.locks:
        for place in lock.places:
            names = [clean(frame.function) for frame in reversed(place.frames)]
            yield names + [f"[{clean(lock.label())}]"], place


def render(process, top, is_running):
    del top, is_running
    together = {}
    for names, place in rows(process):
        key = ";".join(names)
        together[key] = together.get(key, 0) + place.seconds
    return "".join(f"{key} {max(1, round(seconds * 1e6))}\n" for key, seconds in sorted(together.items()))
