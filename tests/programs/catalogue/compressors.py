# SPDX-License-Identifier: MIT OR Apache-2.0
"""pigz, xz and zstd with four threads."""

import hashlib
import pathlib

from harness.program import Measure, Program, Result
from harness.run import Failure

MEGABYTE = 1000000


def make_input(run, size):
    """Programs and libraries of this machine, always the same ones: real data, of every degree of disorder."""
    path = pathlib.Path(run.path("input"))
    with path.open("wb") as output:
        for folder in ("/usr/bin", "/usr/lib"):
            for file in sorted(pathlib.Path(folder).rglob("*")):
                if output.tell() >= size:
                    return str(path)
                if file.is_file() and not file.is_symlink() and file.stat().st_size > 65536:
                    output.write(file.read_bytes()[:size - output.tell()])
    if path.stat().st_size < size / 4:
        raise Failure("found no data to work on")
    return str(path)


def digest(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def compressor(name, options, normal):
    """A program that packs with -c and these options, and unpacks with -d -c."""

    def run_it(run):
        source = make_input(run, run.amount(6, normal) * MEGABYTE)
        packed, unpacked = run.path("packed"), run.path("unpacked")
        pack = run.execute(*options, "-c", stdin=source, stdout=packed)
        unpack = run.execute(*options, "-d", "-c", stdin=packed, stdout=unpacked)
        if digest(unpacked) != digest(source):
            raise Failure("what was packed and unpacked is not what it was")
        # Either way must be able to unpack what the other one packed.
        run.client(name, "-d", "-c", stdin=packed, stdout=unpacked)
        if digest(unpacked) != digest(source):
            raise Failure("glibc unpacks it differently")
        return Result(digest(packed), [Measure("pack", pack.seconds, "s"), Measure("unpack", unpack.seconds, "s")])

    return run_it


PROGRAMS = [
    Program("pigz", ("pigz=pigz",), "packed bytes are glibc's; unpacked bytes are the input's",
            compressor("pigz", ("pigz", "-p", "4", "-b", "64", "-n"), 80)),
    Program("xz", ("xz=xz-utils",), "packed bytes are glibc's; unpacked bytes are the input's",
            compressor("xz", ("xz", "-T4", "-0", "--block-size=256KiB"), 30)),
    Program("zstd", ("zstd=zstd",), "packed bytes are glibc's; unpacked bytes are the input's",
            compressor("zstd", ("zstd", "-q", "-T4", "-6", "-B512K"), 80)),
]
