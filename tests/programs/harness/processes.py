# SPDX-License-Identifier: MIT OR Apache-2.0
"""Finds, explains and ends the processes that this one started, their children's children included."""

import ctypes
import os
import pathlib
import shutil
import signal
import subprocess

PR_SET_CHILD_SUBREAPER = 36


def adopt_orphans():
    """From now on a descendant whose parent ends becomes a child of this process, so that none is lost sight of."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")


def _read(path):
    try:
        return pathlib.Path(path).read_text(errors="replace")
    except OSError:
        return ""


def _parents():
    """Of each process that is alive: its parent."""
    parents = {}
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        # The name in parentheses may contain anything, parentheses too; the state and the parent follow the last one.
        fields = _read(f"/proc/{entry}/stat").rpartition(")")[2].split()
        if len(fields) > 1 and fields[0] != "Z":
            parents[int(entry)] = int(fields[1])
    return parents


def descendants():
    """All living processes that this one started, and that those did."""
    parents = _parents()
    found = []
    for process in parents:
        ancestor = process
        while ancestor in parents and ancestor != os.getpid():
            ancestor = parents[ancestor]
        if ancestor == os.getpid() and process != ancestor:
            found.append(process)
    return sorted(found)


def kill_descendants():
    """Ends them, and those that they start meanwhile, and leaves no zombie."""
    while found := descendants():
        for process in found:
            try:
                os.kill(process, signal.SIGKILL)
            except ProcessLookupError:
                pass
        reap(block=True)
    reap(block=False)


def reap(block):
    """Collects the exit statuses of children that nobody else will; waits for one of them if asked to."""
    try:
        while os.waitpid(-1, 0 if block else os.WNOHANG)[0] != 0:
            block = False
    except ChildProcessError:
        pass


def is_on_libplc(process):
    return "/libplc_pthread" in _read(f"/proc/{process}/maps")


def _explain_threads(process):
    lines = []
    for task in sorted(os.listdir(f"/proc/{process}/task"), key=int):
        place = f"/proc/{process}/task/{task}"
        state = [line for line in _read(f"{place}/status").splitlines() if line.startswith(("State", "SigBlk", "SigPnd"))]
        lines.append(f"  thread {task} {_read(f'{place}/comm').strip()}: {', '.join(state)}; in the kernel at "
                     f"{_read(f'{place}/wchan') or '?'}; system call {_read(f'{place}/syscall').strip()}")
        lines += ["    " + line for line in _read(f"{place}/stack").splitlines()]
    return lines


def explain_hang():
    """What every descendant is doing: its threads in the kernel, and their stacks if gdb is there."""
    lines = []
    for process in descendants():
        try:
            command = _read(f"/proc/{process}/cmdline").replace("\0", " ").strip()
            lines.append(f"process {process}{' on libplc' if is_on_libplc(process) else ''}: {command}")
            lines += _explain_threads(process)
        except OSError as error:
            lines.append(f"  is gone: {error}")
            continue
        if shutil.which("gdb"):
            try:
                lines.append(subprocess.run(
                    ["gdb", "-nx", "-batch", "-p", str(process), "-ex", "set pagination off",
                     "-ex", "thread apply all backtrace 30"],
                    stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                    errors="replace", timeout=90).stdout)
            except subprocess.TimeoutExpired:
                lines.append("  gdb found no end")
    return "\n".join(lines)
