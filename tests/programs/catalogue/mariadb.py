# SPDX-License-Identifier: MIT OR Apache-2.0
"""mariadbd under sysbench, and sysbench's own tests of locks."""

import os
import pathlib
import re
import shutil
import signal
import socket

from harness.program import Measure, Program, Result
from harness.run import Failure

TABLES, ROWS, CLIENTS = 4, 5000, 4


def connects(path):
    with socket.socket(socket.AF_UNIX) as client:
        try:
            client.connect(path)
            return True
        except OSError:
            return False


class Database:
    """A mariadbd of our own, on a directory of its own."""

    def __init__(self, run, directory, on_locks):
        self.run, self.socket = run, run.path("mariadb.socket")
        self.server = run.serve(
            lambda port: ("mariadbd", "--no-defaults", "--user=root", f"--datadir={directory}", "--skip-networking",
                          f"--socket={self.socket}", f"--pid-file={run.path('mariadb.pid')}", *INNODB,
                          "--innodb-flush-log-at-trx-commit=2", "--innodb-use-native-aio=0"),
            answers=lambda port: connects(self.socket), on_locks=on_locks)

    def client(self, database="test"):
        return ("mariadb", "--no-defaults", f"--socket={self.socket}", "--user=root", "--batch", "--skip-column-names",
                database)

    def ask(self, statement, database="test"):
        self.run.client(*self.client(database), "-e", statement, stdout=self.run.path("answer"))
        return pathlib.Path(self.run.path("answer")).read_text(encoding="utf-8").strip()

    def sysbench(self, command, *options):
        return self.run.client("sysbench", "oltp_read_write", "--db-driver=mysql", f"--mysql-socket={self.socket}",
                               "--mysql-user=root", "--mysql-db=test", f"--tables={TABLES}", f"--table-size={ROWS}",
                               *options, command).output

    def stop(self):
        self.server.stop(signal.SIGTERM)


INNODB = ("--innodb-buffer-pool-size=96M", "--innodb-log-file-size=32M")


def make_template(run, directory):
    """The files of a database with sysbench's tables and a counter, made on glibc once for all runs."""
    fresh = directory + ".fresh"
    run.client("mariadb-install-db", "--no-defaults", "--user=root", f"--datadir={fresh}", "--skip-test-db",
               "--auth-root-authentication-method=normal", *INNODB)
    database = Database(run, fresh, on_locks=False)
    database.ask("create database test", "mysql")
    database.sysbench("prepare", "--rand-seed=1")
    database.ask("create table counter (id int primary key, n int not null) engine=innodb; insert counter values (1, 0)")
    database.stop()
    os.rename(fresh, directory)


def count_together(run, database):
    """Clients add to one row at once: no addition may be lost."""
    each = run.amount(100, 1000, 100)
    source = pathlib.Path(run.path("additions"))
    source.write_text("update counter set n = n + 1 where id = 1;\n" * each, encoding="utf-8")
    logs = [run.new_log() for _ in range(CLIENTS)]
    with_input = [source.open("rb") for _ in range(CLIENTS)]
    children = [run.start(database.client(), log, on_locks=False, stdin=file) for log, file in zip(logs, with_input)]
    for child, log, file in zip(children, logs, with_input):
        if run.wait(child) != 0:
            raise Failure(f"a client failed: {pathlib.Path(log).read_text(errors='replace')}")
        file.close()
    counted = database.ask("select n from counter")
    if counted != str(each * CLIENTS):
        raise Failure(f"the counter says {counted} after {each * CLIENTS} additions")


# An entry of a secondary index that is marked as deleted, and whose row is gone: rubbish which is not swept up yet. MariaDB leaves
# some now and then, on glibc's locks as often (MDEV-29823), and calls the table good.
RUBBISH = re.compile(r"\tWarning\tInnoDB: Clustered index record not found for .*info_bits=32,")


def check_tables(database):
    names = ", ".join(f"sbtest{i}" for i in range(1, TABLES + 1))
    for line in database.ask(f"check table {names}, counter extended").splitlines():
        if line.split("\t")[2:] != ["status", "OK"] and not RUBBISH.search(line):
            raise Failure(f"check table: {line}")
    for i in range(1, TABLES + 1):
        if (rows := database.ask(f"select count(*), sum(id) from sbtest{i}")) != f"{ROWS}\t{ROWS * (ROWS + 1) // 2}":
            raise Failure(f"sbtest{i} has these rows: {rows}")
    return names


def run_mariadb(run):
    template = run.shared("mariadb")
    if not os.path.exists(template):
        make_template(run, template)
    shutil.copytree(template, run.path("mariadb"))
    database = Database(run, run.path("mariadb"), on_locks=True)
    # One thread with known choices leaves known tables.
    database.sysbench("run", "--threads=1", "--rand-seed=1", f"--events={run.amount(20, 200, 20)}", "--time=0")
    checksums = database.ask(f"checksum table {check_tables(database)}")
    count_together(run, database)
    report = database.sysbench("run", "--threads=8", f"--time={run.amount(1, 5, 7)}")
    check_tables(database)
    database.stop()
    transactions = re.search(r"transactions:\s+\d+\s+\(([0-9.]+) per sec", report)
    if not transactions or "FATAL" in report:
        raise Failure(report)
    return Result(checksums, [Measure("transactions", float(transactions[1]), "ops/s")])


def run_sysbench(run):
    """Threads that take locks in turn: a fixed time, then a fixed count."""
    seconds = run.amount(1, 4, 5)
    report = run.execute("sysbench", "threads", "--threads=8", "--thread-locks=4", "--thread-yields=20",
                         f"--time={seconds}", "run").output
    events = re.search(r"total number of events:\s+(\d+)", report)
    if not events or int(events[1]) == 0:
        raise Failure(report)
    mutex = run.execute("sysbench", "mutex", "--threads=8", "--mutex-num=16", "--mutex-loops=100",
                        f"--mutex-locks={run.amount(50000, 1000000, 1000000)}", "run").output
    time = re.search(r"total time:\s+([0-9.]+)s", mutex)
    if not time or not re.search(r"total number of events:\s+8\b", mutex):
        raise Failure(mutex)
    return Result(8, [Measure("threads", int(events[1]) / seconds, "ops/s"), Measure("mutex", float(time[1]), "s")])


PROGRAMS = [
    Program("mariadb", ("mariadbd=mariadb-server", "sysbench=sysbench"),
            "tables that one client changed have glibc's checksums; no addition of four clients to one row is lost; "
            "CHECK TABLE and the rows' numbers after eight clients' transactions", run_mariadb, is_bar=True),
    Program("sysbench", ("sysbench=sysbench",), "all threads finish their events", run_sysbench, is_bar=True),
]
