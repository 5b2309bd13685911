# SPDX-License-Identifier: MIT OR Apache-2.0
"""Turns the addresses in a text of --deadlock or --lock-order into functions, lines and names of variables."""
import os
import re
import sys

from .symbols import Symbols

WIDTH = 80
INDENT = 6
FUNCTION_WIDTH = 44

# Where every thread begins; this says nothing.
ROOTS = {"start_thread", "clone", "clone3", "__clone3", "__libc_start_call_main", "__libc_start_main",
         "__libc_start_main_impl", "_start"}

FRAME = re.compile(r"@ 0x([0-9a-f]+)$")
SIZES = {"mutex": 40, "rwlock": 56, "cond": 48}  # of glibc's objects on 64-bit machines, for elements of arrays
OBJECT = re.compile(r"\b(mutex|rwlock|cond) 0x([0-9a-f]+)")
MAPPING = re.compile(r"([0-9a-f]+)-([0-9a-f]+) \S+ ([0-9a-f]+) \S+ \d+\s*(.*)$")


def parse_mappings(lines):
    """(begin, end, offset, path) of what comes from files; memory right behind a file's, as zeroed variables are, is its own."""
    mappings = []
    for line in lines:
        match = MAPPING.match(line)
        if not match:
            continue
        begin, end, offset = (int(text, 16) for text in match.group(1, 2, 3))
        path = match.group(4).removesuffix(" (deleted)")
        if path.startswith("/"):
            mappings.append((begin, end, offset, path))
        elif not path and mappings and mappings[-1][1] == begin:
            before = mappings[-1]
            mappings[-1] = (before[0], end, *before[2:])
    return mappings


def cut(text, width):
    return text if len(text) <= width else text[:width - 3] + "..."


def frame_line(frame):
    """One line, unless the two parts are too long for that."""
    room = WIDTH - INDENT
    place = cut(frame.place(), room)
    if len(frame.function) < FUNCTION_WIDTH and FUNCTION_WIDTH + len(place) <= room:
        return " " * INDENT + f"{frame.function:{FUNCTION_WIDTH}}{place}"
    if len(frame.function) + 2 + len(place) <= room:
        return " " * INDENT + f"{frame.function}  {place}"
    return " " * INDENT + cut(frame.function, room) + "\n" + place.rjust(WIDTH)



def stack_lines(symbols, addresses):
    frames = symbols.frames(addresses)
    while len(frames) > 1 and frames[-1].function.split("@")[0] in ROOTS:
        frames.pop()
    return [frame_line(frame) for frame in frames]


def name_objects(symbols, line):
    """Puts the names of variables behind their addresses."""
    def named(match):
        found = symbols.variable(int(match.group(2), 16), SIZES[match.group(1)])
        room = WIDTH - len(line) - 3
        if not found or not found[0] or room < 8:
            return match.group(0)
        return f"{match.group(0)} ({cut(found[0], room)})"
    return OBJECT.sub(named, line, count=1)


def render(text):
    """The text for people, of one report or of several one behind the other."""
    out = []
    body, mappings, reading = [], [], False

    def finish():
        symbols = Symbols(parse_mappings(mappings))
        symbols.learn(int(match.group(1), 16) - 1 for match in map(FRAME.match, body) if match)
        stack = []
        for line in body + [""]:
            match = FRAME.match(line)
            if match:
                stack.append(int(match.group(1), 16))
                continue
            if stack:
                out.extend(stack_lines(symbols, stack))
                stack = []
            out.append(name_objects(symbols, line))
        out.pop()

    for line in text.splitlines():
        if line == "maps:":
            reading = True
        elif reading and not MAPPING.match(line):
            finish()
            body, mappings, reading = [line], [], False
        else:
            (mappings if reading else body).append(line)
    if body or mappings:
        finish()
    return "\n".join(out) + "\n"


def main():
    """True if all of it was written."""
    try:
        sys.stdout.write(render(sys.stdin.read()))
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # nothing is left to be written at the end
        return False
    return True
