#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR Apache-2.0
# tracing.sh PROVIDER SCRIPT DROPIN PROGRAM: the bpftrace example sees PROGRAM (blocked.c) wait, where tracing is allowed.
set -uo pipefail
provider=$1
script=$2
dropin=$3
program=$4
directory=$(mktemp -d)
tracer=
trap '[[ -z $tracer ]] || kill -INT "$tracer" 2>/dev/null; rm -rf "$directory"' EXIT

skip() {
    echo "tracing.sh: skipped: $1"
    exit 77
}
command -v bpftrace >/dev/null || skip 'there is no bpftrace'
reason=$(timeout 60 bpftrace -e 'BEGIN { exit(); }' 2>&1) || skip "bpftrace may not trace here: ${reason:0:200}"

sed "s|LIBPLC_PTHREAD|$(readlink -f "$dropin")|; s|:libpthread:|:$provider:|" "$script" >"$directory/script.bt"
# Says when a probe has fired; when bpftrace has attached itself nothing else does.
printf 'usdt:%s:plc:park { printf("somebody parks\\n"); }\n' "$(readlink -f "$dropin")" >>"$directory/script.bt"
timeout -s INT -k 30 200 bpftrace -B line "$directory/script.bt" >"$directory/output" 2>&1 &
tracer=$!
# Programs that were started too early are not seen: one after the other stands still, and is ended.
mkfifo "$directory/ready"
while [[ $SECONDS -lt 150 ]]; do
    LD_PRELOAD=$dropin "$program" >"$directory/ready" &
    read -r _ pid <"$directory/ready"
    kill "$pid"
    wait "$pid" 2>/dev/null
    grep -q '^somebody parks' "$directory/output" && break
    kill -0 "$tracer" 2>/dev/null || break
done
grep -q '^somebody parks' "$directory/output" || skip "bpftrace has seen nothing: $(head -c 200 "$directory/output")"
# Once more from beginning to end.
LD_PRELOAD=$dropin "$program" >"$directory/ready" &
read -r _ pid <"$directory/ready"
kill "$pid"
kill -INT "$tracer" 2>/dev/null
wait 2>/dev/null
failures=0
for pattern in '@wait_ns\[' '@slept_ns\[|@parks\[4\]' '@parks\[1\]: [1-9]' '@parks\[4\]: [1-9]'; do
    if ! grep -qE "$pattern" "$directory/output"; then
        echo "tracing.sh: bpftrace did not show $pattern"
        failures=1
    fi
done
[[ $failures -eq 0 ]] && echo 'tracing.sh: good' || cat "$directory/output"
exit $failures
