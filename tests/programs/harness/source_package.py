# SPDX-License-Identifier: MIT OR Apache-2.0
"""Fetches the sources of a Debian package, for test suites that come in no other form."""

import pathlib
import re
import subprocess
import tarfile

SOURCES = pathlib.Path(__file__).resolve().parents[3] / "build" / "real-programs-sources"
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"


class Unavailable(OSError):
    """There is no such source package here, or no network."""


def _apt(*arguments):
    """apt-get with a list of sources of its own, which leaves the machine's alone."""
    code_name = re.search("^VERSION_CODENAME=(.*)$", pathlib.Path("/etc/os-release").read_text(), re.M)
    state = SOURCES / "apt"
    (state / "lists" / "partial").mkdir(parents=True, exist_ok=True)
    (state / "sources.list").write_text(
        f"deb-src [signed-by={KEYRING}] http://deb.debian.org/debian {code_name[1] if code_name else 'stable'} main\n")
    options = {"Dir::Etc::SourceList": state / "sources.list", "Dir::Etc::SourceParts": "/dev/null",
               "Dir::State::Lists": state / "lists", "Dir::Cache::srcpkgcache": "", "Dir::Cache::pkgcache": "",
               "APT::Sandbox::User": "root"}
    command = ["apt-get", "-q"] + [part for key, value in options.items() for part in ("-o", f"{key}={value}")]
    done = subprocess.run([*command, *arguments], cwd=SOURCES, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        raise Unavailable(f"apt-get {' '.join(arguments)}: {done.stdout[-2000:]}")


def fetch(package, wanted):
    """The directory with the package's original sources, as far as wanted(path) says; kept for later runs."""
    directory = SOURCES / package
    if directory.exists():
        return directory
    SOURCES.mkdir(parents=True, exist_ok=True)
    _apt("update")
    _apt("source", "--download-only", package)
    archives = sorted(SOURCES.glob(f"{package}_*.orig.tar.*"))
    if not archives:
        raise Unavailable(f"no archive of {package}")
    fresh = SOURCES / f"{package}.fresh"
    with tarfile.open(archives[-1]) as archive:
        archive.extractall(fresh, [member for member in archive if wanted(member.name)], filter="data")
    fresh.rename(directory)
    return directory
