# SPDX-License-Identifier: MIT OR Apache-2.0
"""memcached with four worker threads under memcslap."""

import re
import socket
import threading

from harness.program import Measure, Program, Result
from harness.run import Failure

CLIENTS = 4


class Connection:
    """A client of memcached's text protocol."""

    def __init__(self, port, limit):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=limit)
        self.file = self.socket.makefile("rb")

    def ask(self, request):
        self.socket.sendall(request)
        return self.file.readline().strip()

    def set(self, key, value):
        if self.ask(b"set %s 0 0 %d\r\n%s\r\n" % (key, len(value), value)) != b"STORED":
            raise Failure(f"{key} was not stored")

    def get(self, key):
        header = self.ask(b"get %s\r\n" % key).split()
        if not header or header[0] != b"VALUE":
            return None
        value = self.file.read(int(header[3]) + 2)[:-2]
        self.file.readline()  # END
        return value

    def close(self):
        self.file.close()
        self.socket.close()


def value_of(client, i):
    return (b"%d.%d." % (client, i)) * (1 + i % 40)


def in_threads(function):
    """function(number) in CLIENTS threads; the first exception of one of them is raised here."""
    errors = []

    def guarded(number):
        try:
            function(number)
        except Exception as error:  # handed on to the caller below
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(number,)) for number in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def check_values(run, port):
    """Clients count in one counter and store keys of their own at once: the count must be exact, the values theirs."""
    rounds = run.amount(300, 2000, 300)
    first = Connection(port, run.limit)
    first.set(b"counter", b"0")

    def work(number):
        connection = Connection(port, run.limit)
        for i in range(rounds):
            connection.ask(b"incr counter 1\r\n")
            connection.set(b"key.%d.%d" % (number, i), value_of(number, i))
        for i in range(rounds):
            if connection.get(b"key.%d.%d" % (number, i)) != value_of(number, i):
                raise Failure(f"key.{number}.{i} has another value than was stored")
        connection.close()

    in_threads(work)
    counted = first.get(b"counter")
    first.close()
    if counted != b"%d" % (CLIENTS * rounds):
        raise Failure(f"the counter says {counted}, and not {CLIENTS * rounds}")
    return CLIENTS * rounds


def slap(run, port, test):
    concurrency, each = 8, run.amount(1500, 10000, 25000)
    output = run.client("memcslap", f"--servers=127.0.0.1:{port}", f"--concurrency={concurrency}",
                        f"--execute-number={each}", f"--test={test}", "--flush").output
    taken = re.search(rf"Time to {test} .*:\s+([0-9.]+) seconds", output)
    if not taken:
        raise Failure(f"memcslap says no time:\n{output}")
    return Measure(test, concurrency * each / float(taken[1]), "ops/s")


def run_it(run):
    server = run.serve(lambda port: ("memcached", "-u", "root", "-l", "127.0.0.1", "-p", port, "-U", 0, "-t", 4))
    measures = [slap(run, server.port, "set"), slap(run, server.port, "get")]
    counted = check_values(run, server.port)
    server.stop()
    return Result(counted, measures)


PROGRAMS = [
    Program("memcached", ("memcached=memcached", "memcslap=libmemcached-tools"),
            "four clients count in one counter and read back every value that they stored", run_it, is_bar=True),
]
