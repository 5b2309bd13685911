#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR Apache-2.0
# plc_run.sh PLC_RUN PROGRAM INSTALL_BUILD_DIRECTORY [STATIC_PROGRAM]: what plc-run answers to good and bad requests, here and installed.
# PROGRAM prints the file that its pthread_mutex_lock comes from.
# shellcheck disable=SC2016 # what stands in single quotes is for the inner shell
set -uo pipefail
plc_run=$1
program=$2
build=$3
static_program=${4-}
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
failures=0

# expect STATUS PATTERN-OF-OUTPUT COMMAND...; the output is both streams.
expect() {
    local status=$1 pattern=$2 output actual=0
    shift 2
    output=$("$@" 2>&1) || actual=$?
    if [ "$actual" -ne "$status" ]; then
        echo "plc_run.sh: $*: ended with $actual instead of $status; it said: $output"
        failures=$((failures + 1))
    elif ! grep -qE -- "$pattern" <<<"$output"; then
        echo "plc_run.sh: $*: said '$output' and not '$pattern'"
        failures=$((failures + 1))
    fi
}

touch "$directory/data"
mkdir "$directory/a directory"
printf '#!/nonexistent/interpreter\n' >"$directory/a-script" && chmod +x "$directory/a-script"

expect 2 'which program' "$plc_run"
expect 2 'which program' "$plc_run" --stats
expect 2 'which program' "$plc_run" --
expect 2 'name of the program is empty' "$plc_run" ''
expect 2 'no option --nonsense' "$plc_run" --nonsense true
expect 2 'no option -x' "$plc_run" -x true
expect 0 'Usage: plc-run' "$plc_run" --help
expect 127 'no-such-program: No such file' "$plc_run" no-such-program
expect 127 'No such file' "$plc_run" "$directory/missing"
expect 127 'script: the interpreter or loader that it asks for was not found' "$plc_run" "$directory/a-script"
expect 127 'script: the interpreter .* was not found' env PATH="$directory:$PATH" "$plc_run" a-script
expect 127 'script: the interpreter .* was not found' "$plc_run" --profile "$directory/a-script"
expect 126 'Permission denied' "$plc_run" "$directory/data"
expect 126 'Is a directory' "$plc_run" "$directory/a directory"
expect 126 'Not a directory' "$plc_run" "$directory/data/program"

# What is no program is a script for sh, as everywhere, with libplc's locks; an empty one does nothing.
printf 'echo "$LD_PRELOAD" "$1"\n' >"$directory/words" && chmod +x "$directory/words"
: >"$directory/empty" && chmod +x "$directory/empty"
expect 0 'libplc_pthread\.so x$' "$plc_run" "$directory/words" x
expect 0 '^$' "$plc_run" "$directory/empty"

# Programs into which nothing is preloaded are not run on glibc's locks behind one's back.
patch() { # patch OFFSET BYTE FILE: writes one byte
    printf "%b" "\\x$2" | dd of="$3" bs=1 seek="$1" conv=notrunc status=none
}
cp "$program" "$directory/class" && patch 4 "$([ "$(od -An -tu1 -j4 -N1 "$program")" -eq 2 ] && echo 01 || echo 02)" "$directory/class"
expect 126 'class is a (32|64)-bit program' "$plc_run" "$directory/class"
cp "$program" "$directory/machine" && patch 18 f7 "$directory/machine" # eBPF
expect 126 'machine is a program for another kind of processor' "$plc_run" "$directory/machine"
cp "$program" "$directory/object" && patch 16 01 "$directory/object" # a relocatable file
expect 126 'object is not a program' "$plc_run" "$directory/object"
for length in 10 100; do
    head -c $length "$program" >"$directory/remains" && chmod +x "$directory/remains"
    expect 126 'remains is damaged' "$plc_run" "$directory/remains"
done
printf '#! %s -x\n' "$directory/class" >"$directory/class-script" && chmod +x "$directory/class-script"
expect 126 'class-script is a (32|64)-bit program' "$plc_run" "$directory/class-script"
if [ -n "$static_program" ]; then
    expect 126 'is linked statically' "$plc_run" "$static_program"
    expect 126 'is linked statically' "$plc_run" --stats "$static_program"
fi
set_id=
if [ "$(id -u)" -eq 0 ]; then
    set_id=$directory/set-id
    cp "$program" "$set_id" && chown nobody "$set_id" && chmod 4755 "$set_id"
else
    for candidate in /bin/su /usr/bin/passwd /bin/mount; do
        [ -u "$candidate" ] && set_id=$candidate
    done
fi
[ -z "$set_id" ] || expect 126 'runs with other rights than yours' "$plc_run" "$set_id"
cp "$program" "$directory/own-id" && chmod 4755 "$directory/own-id" # set-uid to oneself changes nothing
expect 0 'libplc_pthread\.so$' "$plc_run" "$directory/own-id"

# The program's own arguments, exit status and signals come through untouched.
expect 0 '^<--stats><-x><a  b><>$' "$plc_run" bash -c 'printf "<%s>" "$@"; echo' bash --stats -x 'a  b' ''
expect 0 '^-n$' "$plc_run" -- printf '%s\n' -n
expect 7 '' "$plc_run" bash -c 'exit 7'
expect 143 '' bash -c '"$1" bash -c "kill -TERM \$\$"' bash "$plc_run"
expect 0 'libplc_pthread\.so$' "$plc_run" "$program"
expect 0 'libplc_pthread_stats\.so$' "$plc_run" --stats "$program"
expect 0 'libc\.so' "$program"

# Statistics go to standard error or to a file, and only when asked for.
expect 0 '[1-9][0-9]* lock operations served' "$plc_run" --stats "$program"
expect 0 '^0$' bash -c '"$1" "$2" 2>&1 | grep -c served || true' bash "$plc_run" "$program"
expect 0 '^0$' bash -c '"$1" --stats "$2" 2>/dev/null | grep -c served || true' bash "$plc_run" "$program"
expect 0 'lock operations served' bash -c 'PLC_STATS_FILE=$3/stats "$1" --stats "$2" >/dev/null 2>&1; cat "$3/stats"' \
    bash "$plc_run" "$program" "$directory"

# What was preloaded already stays, behind ours.
expect 0 '^/.*libplc_pthread\.so:libother\.so$' bash -c 'LD_PRELOAD=libother.so "$1" sh -c "echo \$LD_PRELOAD" 2>/dev/null' \
    bash "$plc_run"
expect 0 '^/[^:]*libplc_pthread\.so$' bash -c 'LD_PRELOAD= "$1" sh -c "echo \$LD_PRELOAD"' bash "$plc_run"

# From anywhere: through a link, through PATH, and from a working directory that is gone.
ln -s "$plc_run" "$directory/linked-plc-run"
expect 0 'libplc_pthread\.so$' "$directory/linked-plc-run" "$program"
expect 0 'libplc_pthread\.so$' env PATH="$(dirname "$plc_run"):$PATH" plc-run "$program"
expect 0 'libplc_pthread\.so$' bash -c 'mkdir "$3/gone" && cd "$3/gone" && rmdir "$3/gone" && "$1" "$2"' \
    bash "$plc_run" "$program" "$directory"

# Installed somewhere else: it takes its neighbours, not the build tree's.
cmake --install "$build" --prefix "$directory/installed" >"$directory/log" 2>&1 || { cat "$directory/log"; failures=1; }
expect 0 "^$directory/installed/.*libplc_pthread\.so\$" "$directory/installed/bin/plc-run" "$program"
expect 0 "^$directory/installed/.*libplc_pthread_stats\.so\$" "$directory/installed/bin/plc-run" --stats "$program"
mv "$directory/installed" "$directory/moved"
expect 0 "^$directory/moved/.*libplc_pthread\.so\$" "$directory/moved/bin/plc-run" "$program"
! command -v python3 >/dev/null || expect 0 '^Lock profile of' "$directory/moved/bin/plc-run" --profile "$program"

# Without a library there is no quiet run on glibc.
mkdir "$directory/alone" && cp "$plc_run" "$directory/alone/"
expect 125 'cannot find libplc_pthread\.so' "$directory/alone/plc-run" "$program"
# The loader splits LD_PRELOAD at colons and blanks.
mkdir "$directory/with blank" && cp "$plc_run" "$(dirname "$(find "$directory/moved" -name libplc_pthread.so)")"/lib* \
    "$directory/with blank/"
expect 125 'colon or a blank' "$directory/with blank/plc-run" "$program"

[ "$failures" -eq 0 ] && echo "plc_run.sh: good"
exit "$((failures != 0))"
