# SPDX-License-Identifier: MIT OR Apache-2.0
"""Which report goes to which file, and writing it so that who reads it meanwhile sees the old one or the new."""
import os
import stat

from . import contention, data, flame, folded, text

FORMATS = {".txt": text, ".json": data, ".folded": folded, ".svg": flame, ".contention": contention}


def targets(output, number):
    """The files of a process: of the first one (number is empty) as they were asked for."""
    base, ending = os.path.splitext(output)
    if ending in FORMATS:
        return {base + number + ending: FORMATS[ending]}
    if is_special(output):
        return {output: text}
    return {output + number + ending: module for ending, module in FORMATS.items()}


def is_special(path):
    try:
        return not stat.S_ISREG(os.stat(path).st_mode) and not os.path.isdir(path)
    except OSError:
        return False


def write(path, content):
    if is_special(path):
        with open(path, "w", encoding="utf-8") as file:
            file.write(content)
        return
    path = os.path.realpath(path)
    temporary = f"{path}.{os.getpid()}.new"
    try:
        with open(temporary, "w", encoding="utf-8") as file:
            file.write(content)
        os.replace(temporary, path)
    except OSError:
        try:
            os.unlink(temporary)
        except OSError:
            pass
        raise
