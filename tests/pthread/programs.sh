#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR Apache-2.0
# Runs one real program on libplc's locks and checks what it made against what it makes on glibc's.
#
#   programs.sh PLC_RUN pigz|xz|db_bench|memcached|redis
#
# Exit status: 0 good, 1 not, 77 the program is not installed. Every server listens on the loopback only and is stopped
# by its own process id.
set -euo pipefail

plc_run=$1
program=$2
directory=$(mktemp -d)
server=
finish() {
    if [ -n "$server" ]; then
        kill -KILL "$server" 2>/dev/null || true
    fi
    rm -rf "$directory"
}
trap finish EXIT

fail() {
    echo "programs.sh: $program: $*" >&2
    exit 1
}

need() {
    local name
    for name in "$@"; do
        command -v "$name" >/dev/null || { echo "programs.sh: $name is not installed"; exit 77; }
    done
}

# On libplc; what it says at its end shows that its locks really were ours.
on_libplc() {
    PLC_STATS_FILE=$directory/stats "$plc_run" --stats "$@"
}

# The count of operations that the processes since the last call reported.
served() {
    [ -s "$directory/stats" ] || fail "no process said that libplc served it"
    cat "$directory/stats"
    grep -qE ' [1-9][0-9]* lock operations served' "$directory/stats" || fail "libplc served nothing"
    rm -f "$directory/stats"
}

# 6 MB of programs and libraries of this machine: real data, of every degree of disorder.
make_input() {
    find /usr/bin /usr/lib -type f -size +64k -readable -print0 2>/dev/null | sort -z | xargs -0 cat 2>/dev/null |
        head -c 6000000 >"$directory/input" || true
    [ "$(wc -c <"$directory/input")" -gt 1000000 ] || fail "found no data to work on"
}

# compressor COMMAND...: packs with these options, unpacks with -d -c.
compressor() {
    local round
    need "$1"
    make_input
    "$@" -c <"$directory/input" >"$directory/glibc"
    for round in 1 2 3; do
        on_libplc "$@" -c <"$directory/input" >"$directory/libplc"
        cmp "$directory/glibc" "$directory/libplc" || fail "packed differently in round $round"
    done
    on_libplc "$@" -d -c <"$directory/glibc" | cmp - "$directory/input" || fail "unpacked differently"
    served
}

# Starts the server and waits until it answers: start_server CHECK COMMAND...
start_server() {
    local check=$1
    shift
    PLC_STATS_FILE=$directory/stats "$plc_run" --stats "$@" >"$directory/log" 2>&1 &
    server=$!
    for _ in $(seq 300); do
        if $check >/dev/null 2>&1; then
            return 0
        fi
        kill -0 "$server" 2>/dev/null || return 1
        sleep 0.1 # between attempts to connect: there is nothing to wait on
    done
    return 1
}

# Waits for the server to end by itself, which must be a success.
join_server() {
    local status=0
    wait "$server" || status=$?
    server=
    [ "$status" -eq 0 ] || { cat "$directory/log"; fail "the server ended with $status"; }
}

pick_port() {
    echo $((20000 + RANDOM % 20000))
}

run_db_bench() {
    need db_bench
    local options=(--num=20000 --value_size=100 --seed=1 --compression_type=none --write_buffer_size=262144
        --max_background_jobs=3 --disable_auto_compactions=0)
    # The same writes twice: what the database then holds must be the same.
    local way
    for way in glibc libplc; do
        local runner=(env)
        [ "$way" = glibc ] || runner=(on_libplc)
        "${runner[@]}" db_bench --db="$directory/$way" "${options[@]}" --threads=1 --benchmarks=fillrandom,compact \
            >"$directory/$way.log" 2>&1 || { cat "$directory/$way.log"; fail "fillrandom failed on $way"; }
        db_bench --db="$directory/$way" "${options[@]}" --use_existing_db=1 --benchmarks=readrandom,readseq,verifychecksum \
            >"$directory/$way.read" 2>&1 || { cat "$directory/$way.read"; fail "the database of $way is damaged"; }
        grep -oE '\([0-9]+ of [0-9]+ found\)' "$directory/$way.read" >"$directory/$way.found"
    done
    cmp "$directory/glibc.found" "$directory/libplc.found" || fail "other keys were found"
    if command -v ldb >/dev/null; then
        ldb --db="$directory/glibc" scan >"$directory/glibc.scan"
        ldb --db="$directory/libplc" scan >"$directory/libplc.scan"
        [ -s "$directory/glibc.scan" ] || fail "ldb found nothing"
        cmp "$directory/glibc.scan" "$directory/libplc.scan" || fail "the databases differ"
    fi
    # Many threads, writing, reading and compacting at once.
    on_libplc db_bench --db="$directory/many" "${options[@]}" --threads=6 \
        --benchmarks=fillrandom,readwhilewriting,overwrite,readrandom,verifychecksum >"$directory/many.log" 2>&1 ||
        { cat "$directory/many.log"; fail "the run with many threads failed"; }
    served
}

run_memcached() {
    need memcached memcslap
    local port test
    for _ in 1 2 3 4 5; do
        port=$(pick_port)
        start_server "memcping --servers=127.0.0.1:$port" memcached -u nobody -l 127.0.0.1 -p "$port" -U 0 -t 4 && break
        server=
    done
    [ -n "$server" ] || { cat "$directory/log"; fail "the server does not start"; }
    for test in set get mget; do
        timeout 120 memcslap --servers=127.0.0.1:"$port" --concurrency=8 --execute-number=2000 --test="$test" --flush \
            >"$directory/load" 2>&1 || { cat "$directory/load"; fail "the load $test failed"; }
    done
    # What goes in comes out.
    head -c 300000 /usr/bin/env >"$directory/value"
    (cd "$directory" && memccp --servers=127.0.0.1:"$port" value)
    memccat --servers=127.0.0.1:"$port" value | head -c "$(wc -c <"$directory/value")" | cmp - "$directory/value" ||
        fail "a value came back different"
    kill -TERM "$server"
    join_server
    served
}

run_redis() {
    need redis-server redis-benchmark redis-cli
    local port
    for _ in 1 2 3 4 5; do
        port=$(pick_port)
        start_server "redis-cli -p $port ping" redis-server --port "$port" --bind 127.0.0.1 --dir "$directory" \
            --io-threads 2 --io-threads-do-reads yes --save '' --appendonly no --daemonize no && break
        server=
    done
    [ -n "$server" ] || { cat "$directory/log"; fail "the server does not start"; }
    timeout 120 redis-benchmark -p "$port" -q -t set,get,lpush,lpop,mset -n 20000 -c 20 -P 8 -r 1000 --threads 2 \
        >"$directory/load" 2>&1 || { cat "$directory/load"; fail "the load failed"; }
    redis-cli -p "$port" del counter list >/dev/null
    timeout 120 redis-benchmark -p "$port" -q -n 20000 -c 20 -P 8 incr counter >"$directory/load" 2>&1 ||
        { cat "$directory/load"; fail "counting failed"; }
    [ "$(redis-cli -p "$port" get counter)" = 20000 ] || fail "the counter says $(redis-cli -p "$port" get counter)"
    # Saving forks; the child must get by with the locks as they were.
    redis-cli -p "$port" set before fork >/dev/null
    redis-cli -p "$port" bgsave >/dev/null
    for _ in $(seq 300); do
        redis-cli -p "$port" info persistence | grep -q 'rdb_bgsave_in_progress:0' && break
        sleep 0.1 # redis tells only when asked
    done
    redis-cli -p "$port" info persistence | grep -q 'rdb_last_bgsave_status:ok' || fail "the forked child did not save"
    [ -s "$directory/dump.rdb" ] || fail "there is no dump"
    ! command -v redis-check-rdb >/dev/null || redis-check-rdb "$directory/dump.rdb" >/dev/null || fail "a bad dump"
    redis-cli -p "$port" shutdown nosave >/dev/null 2>&1 || true
    join_server
    served
}

case $program in
pigz) compressor pigz -p 4 -b 64 -n ;;
xz) compressor xz -T4 -0 --block-size=256KiB ;;
db_bench) run_db_bench ;;
memcached) run_memcached ;;
redis) run_redis ;;
*) fail "there is no such test" ;;
esac
echo "programs.sh: $program: good"
