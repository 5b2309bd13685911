#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR Apache-2.0
# static.sh PROGRAM PROGRAM_ON_GLIBC: of glibc's own mutexes, conds, rwlocks and onces nothing was linked into PROGRAM.
set -euo pipefail
# Each stands for one of glibc's object files, and is in no other.
only_glibcs='___pthread_(mutex_(lock|unlock|trylock|init|destroy)|cond_(wait|signal|broadcast)|once|rwlock_(rdlock|wrlock|unlock))|__pthread_mutex_(cond_lock|unlock_usercnt|clocklock_common)'
count() {
    nm "$1" | awk '{print $NF}' | grep -cxE "$only_glibcs" || true
}
# A check of the check: on glibc they are there.
if [ "$(count "$2")" -lt 8 ]; then
    echo "static.sh: $2 has only $(count "$2") of glibc's functions: their names have changed" >&2
    exit 1
fi
if [ "$(count "$1")" -ne 0 ]; then
    echo "static.sh: $1 mixes glibc's functions with libplc's:" >&2
    nm "$1" | grep -E " ($only_glibcs)$" >&2
    exit 1
fi
