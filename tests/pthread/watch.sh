#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR Apache-2.0
# watch.sh PLC_RUN WATCH_PROGRAM SOURCES: what plc-run --deadlock and --lock-order say about known mistakes, and about none.
# SOURCES is the directory of the program's, whose marked lines the reports must name.
set -uo pipefail
plc_run=$1
program=$2
sources=$3
directory=$(mktemp -d)
report=$directory/report
background=
finish() {
    [ -z "$background" ] || kill -KILL "$background" 2>/dev/null
    rm -rf "$directory"
}
trap finish EXIT
failures=0

complain() {
    echo "watch.sh: $*"
    [ ! -s "$report" ] || sed 's/^/    /' "$report"
    failures=$((failures + 1))
}

# Where the mark is, as a pattern: place NAME.
place() {
    (cd "$sources" && grep -n "at: $1 \*/" watch_*.c | cut -d: -f1,2)
}

# watch STATUS OPTION... SCENARIO: runs it; afterwards the report is there.
watch() {
    local status=$1 actual=0 options=("${@:2:$#-2}") scenario=${*: -1}
    rm -f "$report"
    timeout 60 "$plc_run" "${options[@]}" --output "$report" -- "$program" "$scenario" >"$directory/out" 2>"$directory/error" || actual=$?
    [ "$actual" -eq "$status" ] || complain "$scenario: ended with $actual instead of $status: $(cat "$directory/error")"
    [ ! -s "$directory/error" ] || complain "$scenario: said on standard error: $(cat "$directory/error")"
    ! grep -q 'sanitizer\|^@ ' "$report" || complain "$scenario: something was not rendered"
    awk 'length > 80 { exit 1 }' "$report" || complain "$scenario: a line is longer than 80 columns"
}

# says PATTERN...: these lines, in this order, among others; "NAME@MARK" stands for the function NAME at the line of the mark.
says() {
    local text pattern expression=
    text=$(tr '\n' '~' <"$report")
    for pattern in "$@"; do
        [[ $pattern != *@* ]] || pattern=" ${pattern%@*} +$(place "${pattern#*@}")~"
        expression+=".*$pattern"
    done
    grep -qE -- "$expression" <<<"$text" || complain "no report has, in this order: $*"
}

# counts NUMBER PATTERN
counts() {
    local actual
    actual=$(grep -cE -- "$2" "$report" || true)
    [ "$actual" -eq "$1" ] || complain "'$2' is there $actual times instead of $1"
}

deadlock() {
    watch 134 --deadlock=abort "$1"
    counts 1 '^== libplc: deadlock in'
    counts 1 '^== end of deadlock'
}

deadlock two
says '2 threads wait for each other' 'Thread [0-9]+ \(worker-[12]\)' 'Thread [0-9]+ \(worker-[12]\)'
says 'holds mutex 0x[0-9a-f]+ \(first\), taken at~' take_first_then_second@first-of-two \
    'waits for mutex 0x[0-9a-f]+ \(second\)~' 'which thread [0-9]+ holds, at~' take_first_then_second@second-of-two
says 'waits for mutex 0x[0-9a-f]+ \(first\)~' take_second_then_first@first-wanted
deadlock three
says '3 threads wait for each other'
counts 3 '^Thread [0-9]+ \(worker-[123]\)'
says take_first_then_second@first-of-two take_first_then_second@second-of-two
deadlock self
says 'A thread waits for itself' 'holds mutex' take_one_twice@once 'waits for mutex' 'which it holds itself' take_one_twice@twice
deadlock read-write
says 'holds rwlock 0x[0-9a-f]+ \(table\) to read' read_then_lock@read
says 'waits for rwlock 0x[0-9a-f]+ \(table\) to write' lock_then_write@write
deadlock write-read
says 'waits for rwlock 0x[0-9a-f]+ \(table\) to read' lock_then_read@read-wanted
deadlock upgrade
says 'to read, taken at' read_then_write@upgraded-from 'to write' read_then_write@upgraded-to
deadlock behind-writer
says 'to read~' 'behind thread [0-9]+, which waits to write it' read_twice@read-twice
says 'waits for rwlock 0x[0-9a-f]+ \(queueing\) to write' write_between@written-between
deadlock cond
says 'waits for cond 0x[0-9a-f]+ \(changed\), and needs its' 'which thread [0-9]+ holds' wait_with_another_lock@cond-wait
says 'holds mutex 0x[0-9a-f]+ \(second\)' wake_and_want_the_other@cond-mutex wake_and_want_the_other@wanted-of-waiter

# By itself it only reports, and the program goes on waiting.
rm -f "$report"
"$plc_run" --deadlock --lock-order --output "$report" "$program" two >/dev/null 2>&1 &
background=$!
for _ in $(seq 600); do
    ! grep -q '^== end of deadlock' "$report" 2>/dev/null || break
    sleep 0.1 # there is nothing to wait on but the file
done
counts 1 '^== end of deadlock'
[ "$(cut -d' ' -f3 "/proc/$background/stat")" = S ] || complain "the program does not wait after the report"
{ kill -KILL "$background" && wait "$background"; } 2>/dev/null
background=

inversion() {
    watch "$1" --lock-order "$2"
    counts 1 '^== libplc: lock order inversion in'
    counts 1 '^== end of lock order inversion'
}

inversion 0 inversion
says '[AB], then [AB]: thread' use_first_then_second@order-first 'and then' use_first_then_second@order-second
says '[AB], then [AB]: thread' use_second_then_first@inverse-second 'and then' use_second_then_first@inverse-first
says '[AB] is the mutex 0x[0-9a-f]+ \(first\)'
says 'inversions: 1~'
inversion 0 inversion-of-three
says '3 locks'
says use_first_then_second@order-first use_first_then_second@order-second
says use_third_then_first@inverse-third
says use_second_then_third@order-third
inversion 0 inversion-of-rwlock
says 'to read at~' use_table_then_first@order-read
says 'to write at~' use_first_then_table@order-write
inversion 0 inversion-of-many
inversion 0 inversion-without-gate
says ', and others~' use_first_then_second@order-first
inversion 134 inversion-and-crash
inversion 0 inversion-in-child
says 'in pthread_watch \[[0-9]+\]'

# Nothing to say.
for scenario in peace gate; do
    watch 0 --deadlock --lock-order "$scenario"
    counts 0 '^== libplc: (deadlock|lock order inversion)'
    counts 1 'inversions: 0$'
done

watch 0 --deadlock --lock-order freed # with an order seen, and so a last line
counts 0 '^== libplc: (deadlock|lock order inversion)'
counts 1 'lock orders seen: [1-9][0-9]*, inversions: 0$'

watch 0 --deadlock jump # only of deadlocks: the orders of this scenario contradict each other
counts 0 '^== libplc: deadlock'

# An output that cannot be written is an error before the program starts.
rm -f "$directory/out"
"$plc_run" --deadlock --output "$directory/missing/report" "$program" peace >"$directory/out" 2>"$directory/error"
[ $? -eq 125 ] && grep -q 'cannot write to' "$directory/error" && [ ! -s "$directory/out" ] || complain "a bad output was not refused"

# A full disk is said once and disturbs nothing; nor does a reader that is gone.
"$plc_run" --lock-order --output /dev/full "$program" inversion >"$directory/out" 2>"$directory/error" || complain "a full disk was the program's end"
[ "$(grep -c 'cannot write a report to /dev/full: No space' "$directory/error")" -eq 1 ] ||
    complain "a full disk was not told once: $(cat "$directory/error")"
{ "$plc_run" --lock-order "$program" inversion 2>&1 >"$directory/out" || echo "$?" >"$directory/failed"; } | true
[ ! -e "$directory/failed" ] || complain "a reader that was gone was the program's end"

# A process that cannot have its report rendered writes it with addresses, and plc-render makes up for it.
rm -f "$report"
"$plc_run" --lock-order --output "$report" env PLC_WATCH_RENDERER=/nonexistent "$program" inversion >/dev/null
counts 1 '^maps:'
"$(dirname "$plc_run")/plc-render" <"$report" >"$report.rendered" && mv "$report.rendered" "$report"
says use_first_then_second@order-first use_first_then_second@order-second

[ "$failures" -eq 0 ] && echo "watch.sh: good"
exit "$((failures != 0))"
