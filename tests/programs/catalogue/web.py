# SPDX-License-Identifier: MIT OR Apache-2.0
"""nginx, whose threads read the files, and haproxy in front of it, under wrk."""

import concurrent.futures
import os
import pathlib
import re
import signal
import urllib.request

from harness.program import Measure, Program, Result
from harness.run import Failure

FILES = 24

NGINX = """
daemon off;
worker_processes 2;
pid {directory}/nginx.pid;
error_log {directory}/nginx.errors;
thread_pool default threads=8 max_queue=65536;
{user}
events {{ worker_connections 512; }}
http {{
    access_log off;
    aio threads;
    sendfile {sendfile};
    output_buffers 2 32k;
    client_body_temp_path {directory}/nginx.body;
    proxy_temp_path {directory}/nginx.proxy;
    fastcgi_temp_path {directory}/nginx.fastcgi;
    uwsgi_temp_path {directory}/nginx.uwsgi;
    scgi_temp_path {directory}/nginx.scgi;
    server {{
        listen 127.0.0.1:{port};
        root {directory}/site;
    }}
}}
"""

HAPROXY = """
global
    nbthread 4
    stats socket {directory}/haproxy.socket mode 600 level admin
defaults
    mode http
    timeout connect 60s
    timeout client 60s
    timeout server 60s
listen front
    bind 127.0.0.1:{port}
    balance roundrobin
    server one 127.0.0.1:{behind}
    server two 127.0.0.1:{behind}
"""


def make_site(run):
    """Files whose content is different and known; their sizes are from a few bytes to a megabyte."""
    site = pathlib.Path(run.path("site"))
    site.mkdir()
    for i in range(FILES):
        (site / f"{i}.bin").write_bytes(bytes(run.random.randbytes(64)) * (1 << (i % 15)))
    (site / "load.bin").write_bytes(b"0123456789abcdef" * 4096)
    return site


def start_nginx(run, on_locks, sendfile="off"):
    configuration = pathlib.Path(run.path("nginx.conf"))

    def command(port):
        user = "user root;" if os.geteuid() == 0 else ""
        configuration.write_text(NGINX.format(directory=run.directory, port=port, user=user, sendfile=sendfile))
        return ("nginx", "-p", run.directory, "-c", configuration, "-e", run.path("nginx.errors"))

    return run.serve(command, on_locks=on_locks)


def fetch_all(run, port, site, rounds):
    """Several clients fetch every file: each must be what is on the disk."""

    def fetch(name):
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/{name}", timeout=run.limit) as answer:
            return answer.read() == (site / name).read_bytes()

    names = [f"{i}.bin" for i in range(FILES)] * rounds
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        for name, is_right in zip(names, pool.map(fetch, names)):
            if not is_right:
                raise Failure(f"{name} came different from what it is")
    return len(names)


def load(run, port, label):
    report = run.client("wrk", "-t", 2, "-c", 16, "-d", f"{run.amount(1, 4)}s", "--timeout", "60s",
                        f"http://127.0.0.1:{port}/load.bin").output
    rate = re.search(r"Requests/sec:\s+([0-9.]+)", report)
    if not rate or float(rate[1]) == 0 or re.search("Non-2xx|Socket errors", report):
        raise Failure(report)
    return Measure(label, float(rate[1]), "ops/s")


def run_nginx(run):
    site = make_site(run)
    measures = []
    for sendfile in ("off", "on"):
        server = start_nginx(run, on_locks=True, sendfile=sendfile)
        fetched = fetch_all(run, server.port, site, run.amount(2, 10))
        measures.append(load(run, server.port, "read" if sendfile == "off" else "sendfile"))
        server.stop(signal.SIGQUIT)
    errors = pathlib.Path(run.path("nginx.errors")).read_text(errors="replace")
    if re.search(r"\[(error|crit|alert|emerg)\]", errors):
        raise Failure(errors)
    return Result(fetched, measures)


def run_haproxy(run):
    site = make_site(run)
    behind = start_nginx(run, on_locks=False)
    configuration = pathlib.Path(run.path("haproxy.conf"))

    def command(port):
        configuration.write_text(HAPROXY.format(directory=run.directory, port=port, behind=behind.port))
        return ("haproxy", "-db", "-f", configuration)

    front = run.serve(command)
    fetched = fetch_all(run, front.port, site, run.amount(2, 10))
    measure = load(run, front.port, "requests")
    front.stop(signal.SIGUSR1, statuses=(0, -signal.SIGSEGV))  # README.md says why the second is no failure
    behind.stop(signal.SIGQUIT)
    return Result(fetched, [measure])


PROGRAMS = [
    Program("nginx", ("nginx=nginx-core", "wrk=wrk"),
            "files fetched by eight clients at once are those on the disk; nothing but success under wrk; no error logged",
            run_nginx),
    Program("haproxy", ("haproxy=haproxy", "nginx=nginx-core", "wrk=wrk"),
            "files fetched through it are those on the disk; nothing but success under wrk", run_haproxy),
]
