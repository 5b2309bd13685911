#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR Apache-2.0
# locks.sh BUILD LIBPLC KIND PROGRAM [RUNNER]: what plc-locks and gdb say of PROGRAM (blocked.c), alive and dumped, and what
# plc-locks answers to requests that it cannot meet. KIND is libplc or pthread.
set -uo pipefail
build=$1
libplc=$2
kind=$3
program=$4
runner=${5-}
plc_locks=$build/tools/plc-locks
directory=$(mktemp -d)
pids=()
trap 'kill "${pids[@]}" 2>/dev/null; rm -rf "$directory"' EXIT
failures=0

skip() {
    echo "locks.sh: skipped: $1"
    exit 77
}

# expect STATUS PATTERN COMMAND...; the output is both streams, and the pattern is looked for in all of it.
expect() {
    local status=$1 pattern=$2 actual=0
    shift 2
    output=$("$@" 2>&1) || actual=$?
    if [[ $actual -ne $status ]]; then
        echo "locks.sh: $*: ended with $actual instead of $status; it said: $output"
        failures=$((failures + 1))
    else
        says "$pattern" "$*"
    fi
}

# says PATTERN WHO: the last output matches.
says() {
    if ! grep -Pzq -- "$1" <<<"$output"; then
        printf 'locks.sh: %s did not say %q, but:\n%s\n' "$2" "$1" "$output"
        failures=$((failures + 1))
    fi
}

command -v gdb >/dev/null || skip 'there is no gdb'
sleep 300 &
pids+=($!)
gdb -nx --batch -p $! </dev/null 2>&1 | grep -qE 'ptrace:|Could not attach' && skip 'gdb may not attach to processes here'

# start [ENVIRONMENT]...: the program, until all its threads stand still. Its number in $pid.
start() {
    mkfifo "$directory/ready"
    env "$@" ${runner:+"$runner"} "$program" >"$directory/ready" 2>"$directory/dump" &
    pids+=($!)
    read -r _ pid <"$directory/ready" || pid=
    rm "$directory/ready"
    [[ -n $pid ]] || { echo "locks.sh: $program does not start"; exit 1; }
}

# What every report of the blocked program has to say. report_is_right WHO HOW-LONG [no-names]: a core has no threads' names.
report_is_right() {
    local who=$1 waits=$2 alice=' "alice"' bob=' "bob"' carol=' "carol"' dave=' "dave"'
    [[ ${3-} != no-names ]] || alice='' bob='' carol='' dave=''
    says "mutex 0x[0-9a-f]+ \"first\": 1 waits; held by thread [0-9]+$alice\n    thread [0-9]+$bob $waits\n" "$who"
    says "mutex 0x[0-9a-f]+ \"second\": 1 waits; held by thread [0-9]+$bob\n    thread [0-9]+$alice $waits\n" "$who"
    says "rwlock 0x[0-9a-f]+ \"table\": 1 waits; held by thread $pid\b[^\n]*\n    thread [0-9]+$carol $waits, to read\n" "$who"
    says "condvar 0x[0-9a-f]+: 1 waits\n    thread [0-9]+$dave $waits\n" "$who"
    says "deadlock:\n    thread [0-9]+[^\n]* waits for mutex [^\n]*\n    thread [0-9]+[^\n]* waits for mutex [^\n]*\n4 wait" "$who"
    says '4 wait for 4 objects, of 5 threads\n' "$who"
}

start
expect 0 'held by' "$plc_locks" "$pid"
report_is_right plc-locks 'has waited for [0-9]+\.[0-9]{3} s'
expect 0 'thread [0-9]+ "alice":\n(#[^\n]*\n)*#[0-9]+ [^\n]*hold_and_wait' "$plc_locks" --stacks "$pid"

# The program's own dump, from a signal handler of the thread that holds the table.
kill -USR1 "$pid"
while kill -0 "$pid" && ! grep -q '^libplc: process' "$directory/dump"; do
    sleep 0.05
done
output=$(cat "$directory/dump")
for lock in first second table; do
    says "(mutex|rwlock) 0x[0-9a-f]+ \"$lock\": 1 waits; held by thread [0-9]+( \([a-z ]+\))?\n    thread [0-9]+ has waited for " dump
done
says "\"table\": 1 waits; held by thread $pid\b[^\n]*\n    thread [0-9]+ has waited for [0-9.]+ s, to read\n" dump
says "libplc: process $pid: 4 wait" dump

# By hand: gdb loads the script by itself from beside the library, and prints locks in words.
expect 0 'thread [0-9]+ "dave" has waited for [0-9.]+ s: condvar' \
    gdb -nx --batch -iex "add-auto-load-safe-path $build" -p "$pid" -ex 'plc waiters' \
    -ex 'print first' -ex 'print idle' -ex 'print table' -ex 'print condition'
if [[ $kind == libplc ]]; then
    says '\$1 = {locked, 1 waits}\n' gdb
    says '\$2 = {free}\n' gdb
    says '\$3 = {locked to write, 1 waits}\n' gdb
    says '\$4 = {1 waits, with the mutex at 0x[0-9a-f]+}\n' gdb
else
    says '\$1 = {normal, locked by thread [0-9]+, 1 waits}\n' gdb
    says '\$2 = {normal, free}\n' gdb
fi

# Dumped, and with a library that has no symbols but those that it exports.
expect 0 'Saved corefile' gdb -nx --batch -p "$pid" -ex "generate-core-file $directory/core"
expect 0 'held by' "$plc_locks" "$program" "$directory/core"
report_is_right 'plc-locks of a core' waits no-names
if [[ $kind == libplc ]]; then
    kill "$pid"
    strip -o "$directory/libplc.so.0" "$libplc"
    start LD_LIBRARY_PATH="$directory"
    # The program's own rpath comes before LD_LIBRARY_PATH or after it, as the linker likes: only the right one proves it.
    if grep -q "$directory/libplc" "/proc/$pid/maps"; then
        expect 0 'held by' "$plc_locks" "$pid"
        report_is_right 'plc-locks without symbols' 'has waited for [0-9]+\.[0-9]{3} s'
    else
        kill "$pid"
        start LD_PRELOAD="$directory/libplc.so.0"
        expect 0 'held by' "$plc_locks" "$pid"
        report_is_right 'plc-locks without symbols' 'has waited for [0-9]+\.[0-9]{3} s'
    fi
fi

# What it cannot do it says.
expect 0 'Usage: plc-locks' "$plc_locks" --help
expect 2 'give a process' "$plc_locks"
expect 2 'give a process' "$plc_locks" 1 2 3
expect 2 'no option --nonsense' "$plc_locks" --nonsense 1
expect 2 "x1 is no process's number" "$plc_locks" x1
expect 1 'there is no process 999999999' "$plc_locks" 999999999
expect 1 'there is no libplc in this program' "$plc_locks" "${pids[0]}"
expect 1 'cannot read .*missing' "$plc_locks" "$program" "$directory/missing"
expect 1 'is no core file' "$plc_locks" "$program" "$program"
mkdir "$directory/bin" && ln -s "$(command -v readlink)" "$directory/bin/"
expect 1 'needs gdb' env PATH="$directory/bin" /bin/sh "$plc_locks" "$pid"
if [[ $(id -u) -eq 0 ]] && command -v setpriv >/dev/null; then
    chmod 755 "$directory"
    expect 1 "no permission to look into" setpriv --reuid=65534 --regid=65534 --clear-groups "$plc_locks" "$pid"
fi

[[ $failures -eq 0 ]] && echo "locks.sh: good"
exit "$((failures != 0))"
