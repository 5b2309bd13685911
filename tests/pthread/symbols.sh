#!/usr/bin/env bash
# SPDX-License-Identifier: MIT OR Apache-2.0
# symbols.sh LIBRARY plain|stats|debug: whole families, no versions, nothing else, and nothing needed that could allocate.
set -euo pipefail
library=$1
build=$2
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT

expand() {
    local prefix=$1 name
    shift
    for name in "$@"; do
        echo "$prefix$name"
    done
}
{
    expand pthread_mutex_ init destroy lock trylock timedlock clocklock unlock consistent consistent_np \
        getprioceiling setprioceiling
    expand pthread_cond_ init destroy wait timedwait clockwait signal broadcast
    expand pthread_rwlock_ init destroy rdlock wrlock tryrdlock trywrlock timedrdlock timedwrlock clockrdlock \
        clockwrlock unlock
    echo pthread_once
    expand mtx_ init destroy lock trylock timedlock unlock
    expand cnd_ init destroy wait timedwait signal broadcast
    echo call_once
    expand __pthread_mutex_ init destroy lock trylock unlock
    expand __pthread_rwlock_ init destroy rdlock wrlock tryrdlock trywrlock unlock
    echo __pthread_once
    expand '' sigaction __sigaction signal bsd_signal ssignal sysv_signal __sysv_signal sigset # to know of handlers
    expand '' pthread_setcanceltype pthread_cancel _Fork
    expand '' longjmp _longjmp siglongjmp __longjmp_chk # out of a lock's slow path
    [ "$build" != stats ] || expand _ exit Exit
} | sort >"$directory/expected"
nm -D --defined-only "$library" | awk '{print $NF}' | sort >"$directory/exported"

status=0
if ! diff -u "$directory/expected" "$directory/exported"; then
    echo "symbols.sh: $library exports other symbols than it should (- missing, + extra)" >&2
    status=1
fi
if grep -n '@' "$directory/exported"; then
    echo "symbols.sh: these carry a version, so that callers of another one would miss them" >&2
    status=1
fi
# glibc's own table says what a family is: every name there must be ours, but for the attributes.
libc=$(ldd "$library" | awk '$1 == "libc.so.6" {print $3}')
nm -D --defined-only "$libc" | awk '{print $NF}' | sed 's/@.*//' | sort -u |
    grep -E '^((__)?pthread_(mutex|cond|rwlock|once)|mtx_|cnd_|call_once)' | grep -v attr >"$directory/glibc"
if [ -n "$(comm -23 "$directory/glibc" "$directory/exported")" ]; then
    echo "symbols.sh: glibc has these too:" >&2
    comm -23 "$directory/glibc" "$directory/exported" >&2
    status=1
fi
if [ "$build" = plain ] &&
    nm -D --undefined-only "$library" | grep -E ' (malloc|calloc|realloc|free|__tls_get_addr|.*printf.*|fopen|getenv)(@|$)'; then
    echo "symbols.sh: these may allocate or use stdio" >&2
    status=1
fi
if [ "$build" != debug ] && nm "$library" 2>/dev/null | grep -E ' (observe|dropin_plain)'; then
    echo "symbols.sh: these are the observers', which belong into libplc_pthread_debug.so only" >&2
    status=1
fi
if readelf -rW "$library" | grep -E 'DTPMOD|DTPOFF|TLSDESC'; then
    echo "symbols.sh: thread-local storage would be allocated on first use" >&2
    status=1
fi
if ! readelf -dW "$library" | grep -q 'NEEDED.*libplc\.so'; then
    echo "symbols.sh: it does not use libplc.so's lot" >&2
    status=1
fi
exit $status
