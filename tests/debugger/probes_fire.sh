#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR Apache-2.0
# probes_fire.sh PROVIDER DROPIN PROGRAM: gdb stops at the probes that PROGRAM (blocked.c) comes by, with the right arguments.
set -uo pipefail
provider=$1
dropin=$2
program=$3
commands=$(mktemp)
trap 'rm -f "$commands"' EXIT

skip() {
    echo "probes_fire.sh: skipped: $1"
    exit 77
}
command -v gdb >/dev/null || skip 'there is no gdb'
gdb -nx --batch -ex 'info probes' 2>&1 | grep -q 'Undefined' && skip 'this gdb knows no probes'

# Each probe, its number of arguments, and the object that it is to name at least once.
probes=("$provider:wrlock_entry 1 table" "$provider:wrlock_acquire_write 1 table" "$provider:rdlock_entry 1 table"
    "$provider:mutex_entry 1 first" "$provider:mutex_acquired 1 first" "$provider:mutex_release 1 of_the_condition"
    "$provider:cond_wait 2 condition" "$provider:lll_lock_wait 1 first" "plc:park 2 first")
{
    printf 'set pagination off\nset debuginfod enabled off\nset print thread-events off\nset breakpoint pending on\n'
    printf 'set auto-load off\nset exec-wrapper env LD_PRELOAD=%s\nbreak main\nrun\n' "$dropin"
    for probe in "${probes[@]}"; do
        read -r name _ object <<<"$probe"
        # The last word says whether it is about that object.
        printf 'break -probe-stap %s\ncommands\nsilent\nprintf "hit %s %%d %s %%d\\n", $_probe_argc, $_probe_arg0==(unsigned long)&%s\ncontinue\nend\n' \
            "$name" "$name" "$object" "$object"
    done
    printf 'break pause\ncommands\nsilent\nprintf "all wait\\n"\nend\ncontinue\nkill\n'
} >"$commands"
output=$(gdb -nx --batch -x "$commands" "$program" 2>&1 </dev/null)
grep -qE 'ptrace|not permitted' <<<"$output" && skip 'gdb may not trace processes here'
failures=0
for probe in "${probes[@]}"; do
    read -r name count object <<<"$probe"
    if ! grep -qx "hit $name $count $object 1" <<<"$output"; then
        echo "probes_fire.sh: gdb did not stop at $name with $count arguments, of which the first is $object"
        failures=1
    fi
done
[[ $failures -eq 0 ]] || printf '%s\n' "$output"
[[ $failures -ne 0 ]] || echo "probes_fire.sh: ${#probes[@]} probes fired"
exit $failures
