# SPDX-License-Identifier: MIT OR Apache-2.0
"""One run of a program, on glibc's locks or on libplc's: starts its processes, watches them, and cleans up after it."""

import dataclasses
import os
import pathlib
import random
import re
import select
import shlex
import shutil
import signal
import socket
import subprocess
import tempfile
import time

from . import processes


class Failure(Exception):
    """The program did not do what it should."""


class Hang(Exception):
    """The program did not get on within the watchdog's time."""


@dataclasses.dataclass
class Finished:
    """A process that ended. Its standard output and error streams are in one text."""
    output: str
    status: int
    seconds: float


@dataclasses.dataclass
class Counts:
    """What `plc-run --stats` reported, summed over the processes of a run."""
    served: int = 0
    left_to_glibc: int = 0


class Server:
    """A server that answers."""

    def __init__(self, run, child, port, log):
        self.run, self.child, self.port, self.log = run, child, port, log

    @property
    def pid(self):
        return self.child.pid

    def join(self, statuses=(0,)):
        """Waits until the server ends by itself, which must be with one of these statuses."""
        status = self.run.wait(self.child)
        if status not in statuses:
            raise Failure(f"the server ended with {status}:\n{tail(self.log)}")

    def stop(self, number=signal.SIGTERM, statuses=(0,)):
        os.kill(self.child.pid, number)
        self.join(statuses)


def tail(path, lines=30):
    return "\n".join(pathlib.Path(path).read_text(errors="replace").splitlines()[-lines:])


class Run:
    """The surroundings of one run: a directory of its own, and ways to start processes on the locks it is about.

    way      'glibc' or 'libplc'
    scale    how much to do: 'short', 'normal' or 'bars' (a fixed time, for the comparison of speeds)
    counting True: with the counters of `plc-run --stats`, which cost time
    limit    after so many seconds without an end, a process counts as hanging
    shared   a directory that outlives the run
    """

    def __init__(self, way, plc_run, scale="normal", counting=False, limit=300, seed=1, shared=None):
        self.way, self.plc_run, self.scale, self.counting, self.limit = way, plc_run, scale, counting, limit
        self.random = random.Random(seed)
        self._shared = shared
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="real-programs-"))
        os.chmod(self.directory, 0o755)  # servers that give up root's rights look into it
        self.children = []
        self.logs = 0
        self.processor_seconds = 0.0  # of the processes that were on the locks in question
        self.switches = 0  # how often they gave up the processor by themselves

    def path(self, name):
        return str(self.directory / name)

    def shared(self, name):
        """The path of something that the first run makes and later ones use."""
        return os.path.join(self._shared, name)

    def amount(self, short, normal, bars=None):
        """How much to do at this run's scale."""
        return {"short": short, "normal": normal, "bars": normal if bars is None else bars}[self.scale]

    # Starting and waiting.

    def _command(self, arguments, on_locks):
        if not on_locks or self.way == "glibc":
            return list(arguments)
        return [self.plc_run, *(["--stats"] if self.counting else []), *arguments]

    def _environment(self, extra):
        environment = {**os.environ, "LC_ALL": "C.UTF-8", "HOME": str(self.directory), "TMPDIR": str(self.directory)}
        environment.update(extra or {})
        environment["PLC_STATS_FILE"] = self.path("statistics")
        return environment

    def start(self, arguments, log, on_locks=True, stdin=subprocess.DEVNULL, stdout=None, environment=None):
        arguments = [str(argument) for argument in arguments]
        with open(log, "ab") as errors:
            child = subprocess.Popen(
                self._command(arguments, on_locks), stdin=stdin, stdout=stdout or errors, stderr=errors,
                cwd=self.directory, env=self._environment(environment), start_new_session=True)
        self.children.append(child)
        child.on_locks = on_locks
        child.text = shlex.join(arguments)
        return child

    def wait(self, child, limit=None):
        """Waits for the end, adds up what it used, and returns its status."""
        limit = limit or self.limit
        descriptor = os.pidfd_open(child.pid)
        try:
            poll = select.poll()
            poll.register(descriptor, select.POLLIN)
            if not poll.poll(limit * 1000):
                raise Hang(f"no end after {limit} s: {child.text}")
        finally:
            os.close(descriptor)
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.on_locks:
            self.processor_seconds += usage.ru_utime + usage.ru_stime
            self.switches += usage.ru_nvcsw
        return child.returncode

    def new_log(self):
        self.logs += 1
        return self.path(f"log.{self.logs}")

    def execute(self, *arguments, on_locks=True, stdin=None, stdout=None, statuses=(0,), environment=None, limit=None):
        """Runs a command to its end. stdin and stdout are names of files."""
        log = self.new_log()
        start = time.monotonic()
        with open(stdin or os.devnull, "rb") as source, open(stdout or os.devnull, "wb") as sink:
            child = self.start(arguments, log, on_locks, source, sink if stdout else None, environment)
        status = self.wait(child, limit)
        seconds = time.monotonic() - start
        output = pathlib.Path(log).read_text(errors="replace")
        if status not in statuses:
            raise Failure(f"{child.text}\nended with {status}:\n{tail(log)}")
        return Finished(output, status, seconds)

    def client(self, *arguments, **options):
        """A command that is not what this run is about: always on glibc's locks."""
        return self.execute(*arguments, on_locks=False, **options)

    # Servers.

    def free_port(self):
        """A port of the loopback on which nobody listens, from below those that the kernel gives to clients."""
        while True:
            port = self.random.randrange(20000, 32000)
            with socket.socket() as probe:
                try:
                    probe.bind(("127.0.0.1", port))
                    return port
                except OSError:
                    continue

    def serve(self, command, answers=None, on_locks=True, environment=None):
        """Starts a server and waits until it answers.

        command(port) gives the arguments; answers(port) says whether it answers, by default whether it accepts a
        connection. If somebody else took the port meanwhile, it is tried again with another one."""
        for _ in range(5):
            port = self.free_port()
            log = self.new_log()
            child = self.start(command(port), log, on_locks, environment=environment)
            if self._becomes_ready(child, port, answers or accepts_connection):
                self._check_locks(child, on_locks)
                return Server(self, child, port, log)
            # A name that is taken is another run's; anything else is a failure, and no reason to try again.
            if not re.search("address already in use|bind", tail(log), re.IGNORECASE):
                break
        raise Failure(f"{child.text}\ndoes not start:\n{tail(log)}")

    def _becomes_ready(self, child, port, answers):
        deadline = time.monotonic() + self.limit
        while time.monotonic() < deadline:
            if answers(port):
                return True
            if os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
                self.wait(child)
                return False
            time.sleep(0.02)  # between two attempts to connect: there is nothing to wait on
        raise Hang(f"no answer after {self.limit} s: {child.text}")

    def _check_locks(self, child, on_locks):
        expected = on_locks and self.way == "libplc"
        if processes.is_on_libplc(child.pid) != expected:
            raise Failure(f"libplc is {'not ' if expected else ''}mapped into {child.text}")

    # The end.

    def counts(self):
        """The lock operations that libplc served; a run that counts must have some."""
        counts = Counts()
        statistics = pathlib.Path(self.path("statistics"))
        text = statistics.read_text() if statistics.exists() else ""
        for served, left in re.findall(r"^libplc: .*: (\d+) lock operations served .*left to glibc (\d+)\)$", text, re.M):
            counts.served += int(served)
            counts.left_to_glibc += int(left)
        return counts

    def close(self):
        processes.kill_descendants()
        for child in self.children:
            child.returncode = child.returncode or 0  # it was reaped: subprocess need not look after it
        shutil.rmtree(self.directory, ignore_errors=True)


def accepts_connection(port):
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=10):
            return True
    except OSError:
        return False
