# SPDX-License-Identifier: MIT OR Apache-2.0
"""unbound with four threads, which answers from a zone of its own and from its cache, under dnsperf."""

import ipaddress
import pathlib
import re
import socket
import struct

from harness.program import Measure, Program, Result
from harness.run import Failure

HOSTS = 400

CONFIGURATION = """
server:
    interface: 127.0.0.1
    port: {port}
    num-threads: {threads}
    do-ip6: no
    do-daemonize: no
    do-not-query-localhost: no
    chroot: ""
    username: ""
    directory: "{directory}"
    pidfile: "{directory}/{name}.pid"
    use-syslog: no
    module-config: "iterator"
    msg-cache-size: 2m
    rrset-cache-size: 2m
{server}
remote-control:
    control-enable: no
{other}
"""


def address(zone, i):
    return str(ipaddress.IPv4Address("10.0.0.0") + 65536 * (1 + len(zone)) + i)


def zone_of(name):
    """A zone that the server itself knows."""
    lines = [f'    local-zone: "{name}." static']
    lines += [f'    local-data: "h{i}.{name}. 3600 A {address(name, i)}"' for i in range(HOSTS)]
    return "\n".join(lines)


def start(run, name, threads, server, other="", on_locks=True):
    configuration = pathlib.Path(run.path(f"{name}.conf"))

    def command(port):
        configuration.write_text(CONFIGURATION.format(port=port, threads=threads, directory=run.directory, name=name,
                                                      server=server, other=other))
        return ("unbound", "-d", "-c", configuration)

    return run.serve(command, on_locks=on_locks)


def query(client, number, name):
    """The address that the server gives for a name."""
    labels = b"".join(struct.pack("B", len(label)) + label.encode() for label in name.split(".")) + b"\0"
    client.send(struct.pack(">HHHHHH", number, 0x100, 1, 0, 0, 0) + labels + struct.pack(">HH", 1, 1))
    answer = client.recv(4096)
    found, flags, _, answers = struct.unpack(">HHHH", answer[:8])
    if found != number or flags & 15 != 0 or answers != 1:
        raise Failure(f"{name}: a bad answer: {answer.hex()}")
    return str(ipaddress.IPv4Address(answer[-4:]))


def check_all(run, server, names):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(run.limit)
        client.connect(("127.0.0.1", server.port))
        for number, (name, wanted) in enumerate(names):
            if (found := query(client, number, name)) != wanted:
                raise Failure(f"{name} is {found} and not {wanted}")


def run_it(run):
    behind = start(run, "behind", 1, zone_of("behind.test"), on_locks=False)
    forward = f'forward-zone:\n    name: "behind.test."\n    forward-addr: 127.0.0.1@{behind.port}'
    server = start(run, "front", 4, zone_of("local.test") + '\n    domain-insecure: "test."\n'
                   '    local-zone: "test." nodefault', forward)
    names = [(f"h{i}.{zone}", address(zone, i)) for i in range(HOSTS) for zone in ("local.test", "behind.test")]
    check_all(run, server, names)
    queries = pathlib.Path(run.path("queries"))
    queries.write_text("".join(f"{name} A\n" for name, _ in names))
    report = run.client("dnsperf", "-s", "127.0.0.1", "-p", server.port, "-d", queries, "-c", 8, "-T", 2, "-q", 32,
                        "-t", 60, "-l", run.amount(1, 4)).output
    rate = re.search(r"Queries per second:\s+([0-9.]+)", report)
    if not rate or not re.search(r"Queries lost:\s+0 ", report) \
            or not re.search(r"Response codes:\s+NOERROR \d+ \(100.00%\)", report):
        raise Failure(report)
    check_all(run, server, names)
    server.stop()
    behind.stop()
    return Result(len(names), [Measure("queries", float(rate[1]), "ops/s")])


PROGRAMS = [
    Program("unbound", ("unbound=unbound", "dnsperf=dnsperf"),
            "every address, its own and those from its cache, before and after the load; no query lost, none refused",
            run_it),
]
