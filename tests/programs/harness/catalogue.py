# SPDX-License-Identifier: MIT OR Apache-2.0
"""Collects the programs from the files of the catalogue."""

import importlib
import pathlib

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "catalogue"

# In the order of the table; a file that is not named here comes after those that are.
ORDER = ("rocksdb", "memcached", "mariadb", "redis", "web", "unbound", "compressors", "languages", "fio", "stress_ng")


def programs():
    names = sorted((path.stem for path in FOLDER.glob("*.py") if path.stem != "__init__"),
                   key=lambda name: (ORDER.index(name) if name in ORDER else len(ORDER), name))
    return [program for name in names for program in importlib.import_module(f"catalogue.{name}").PROGRAMS]


def chosen(names):
    """Those with these names, or all; raises KeyError with the first name that is none."""
    every = programs()
    known = {program.name for program in every}
    for name in names or ():
        if name not in known:
            raise KeyError(name)
    return [program for program in every if not names or program.name in names]
