# SPDX-License-Identifier: MIT OR Apache-2.0
"""Functions and lines behind addresses, by elfutils' eu-addr2line, or LLVM's or binutils' tool where that is missing."""
import bisect
import os
import shutil
import struct
import subprocess
from dataclasses import dataclass


@dataclass(frozen=True)
class Frame:
    function: str
    file: str
    line: int
    module: str

    def place(self):
        """Where it is, as short as it can be said."""
        if self.line:
            return f"{os.path.basename(self.file)}:{self.line}"
        return os.path.basename(self.module)


def load_bias(path, base):
    """What to subtract from an address to have the file's own; base is where its first byte is mapped."""
    try:
        with open(path, "rb") as file:
            head = file.read(64)
            if head[:4] != b"\x7fELF" or head[4] != 2:
                return base
            kind, = struct.unpack_from("<H", head, 16)
            table, = struct.unpack_from("<Q", head, 32)
            size, count = struct.unpack_from("<HH", head, 54)
            if kind == 2:  # not relocatable
                return 0
            file.seek(table)
            for _ in range(count):
                segment = file.read(size)
                segment_type, _, offset, address = struct.unpack_from("<IIQQ", segment)
                if segment_type == 1:
                    return base - (address - offset)
    except (OSError, struct.error):
        pass
    return base


class Symbols:
    def __init__(self, modules):
        self.modules = sorted(modules)
        self.begins = [module[0] for module in self.modules]
        self.biases = {}
        self.known = {}
        for begin, _, offset, path in self.modules:
            if path not in self.biases:
                self.biases[path] = load_bias(path, begin - offset)

    def module_of(self, address):
        at = bisect.bisect_right(self.begins, address) - 1
        if at >= 0 and address < self.modules[at][1]:
            return self.modules[at][3]
        return None

    def own_address(self, address, path):
        return address - self.biases[path]

    def learn(self, addresses):
        """Looks all of them up at once, file by file."""
        per_file = {}
        for address in set(addresses) - self.known.keys():
            path = self.module_of(address)
            if path is None:
                self.known[address] = (Frame(f"{address:#x}", "", 0, "[no file]"),)
            else:
                per_file.setdefault(path, []).append(address)
        for path, wanted in per_file.items():
            own = [self.own_address(address, path) for address in wanted]
            for address, frames in zip(wanted, look_up(path, own)):
                self.known[address] = frames or (Frame(f"{os.path.basename(path)}+{self.own_address(address, path):#x}", "", 0, path),)

    def frames(self, stack):
        """The frames of a stack, innermost first, inlined functions among them. What the addresses return to is behind the call."""
        self.learn(address - 1 for address in stack)
        return [frame for address in stack for frame in self.known[address - 1]]

    def variable(self, address, size):
        """The name of the variable at this address, and its file; None if it is on the heap or a stack. size: of such a lock."""
        path = self.module_of(address)
        if path is None:
            return None
        return symbol_at(path, self.own_address(address, path), size), path


def run(command, lines):
    try:
        done = subprocess.run(command, input="\n".join(lines) + "\n", capture_output=True, text=True, timeout=120,
                              check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout


def split_place(place):
    place = place.split(" (")[0]
    file, _, rest = place.partition(":")
    number = rest.split(":")[0]
    return ("", 0) if file in ("??", "") else (file, int(number) if number.isdigit() else 0)


def look_up(path, addresses):
    """For each of the file's own addresses its frames, innermost first."""
    wanted = [f"{address:#x}" for address in addresses]
    if not os.path.exists(path):
        return [()] * len(wanted)
    if shutil.which("eu-addr2line"):
        return look_up_by(["eu-addr2line", "-e", path, "-f", "-i", "-C", "-a"], wanted, path)
    for tool in ("llvm-symbolizer", "llvm-symbolizer-14"):
        if shutil.which(tool):
            return look_up_by([tool, "-e", path, "-f", "-i", "-C", "-a", "--output-style=GNU"], wanted, path)
    if shutil.which("addr2line"):
        return look_up_by(["addr2line", "-e", path, "-f", "-i", "-C", "-a"], wanted, path)
    return [()] * len(wanted)


def look_up_by(command, wanted, path):
    """Every address is echoed, and after it come pairs of lines: function, file:line."""
    answers = []
    lines = run(command, wanted).splitlines()
    for line in lines:
        if line.startswith("0x") and " " not in line:
            answers.append([])
        elif answers:
            answers[-1].append(line)
    frames = [tuple(frames_of(answer, path)) for answer in answers]
    return frames if len(frames) == len(wanted) else [()] * len(wanted)


def frames_of(answer, path):
    for name, place in zip(answer[::2], answer[1::2]):
        name = name.split(" inlined at ")[0]
        file, line = split_place(place)
        if name not in ("??", ""):
            yield Frame(short(name), file, line, path)


def short(name):
    """A C++ function without its arguments, without what its templates are made of, and without what it returns."""
    out, depth = [], 0
    for character in name.replace("operator<", "operator\1").replace("operator>", "operator\2").replace("->", "-\2"):
        if character == "<":
            depth += 1
        elif character == ">":
            depth -= 1
        elif depth == 0:
            if character == "(" and out and "".join(out[-8:]) != "operator":
                break
            out.append(character)
    text = "".join(out).strip()
    if "operator" not in text and not text.startswith(("[", "(")):
        text = text.split(" ")[-1]
    return text.replace("\1", "<").replace("\2", ">").strip() or name


def symbol_at(path, address, item):
    """The variable there, with an index if it is an array of such items, or an offset if it lies within one."""
    for options in ((), ("-D",)):
        best = None
        for value, size, name in objects_of(path, options):
            if value <= address < value + max(size, 1):
                offset = address - value
                is_array = size > item and size % item == 0 and offset % item == 0
                best = f"{name}[{offset // item}]" if is_array else f"{name}+{offset}" if offset else name
        if best:
            return best
    return None


_objects = {}


def objects_of(path, options):
    key = path, options
    if key not in _objects:
        found = []
        for line in run(["nm", "-C", "-S", *options, path], []).splitlines():
            parts = line.split(None, 3)
            if len(parts) == 4 and parts[2] in "bBdDrRuvVsSgG":
                found.append((int(parts[0], 16), int(parts[1], 16), parts[3]))
        _objects[key] = found
    return _objects[key]
