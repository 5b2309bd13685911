# SPDX-License-Identifier: MIT OR Apache-2.0
# The symbols that libplc.so exports are those on record: none is lost, and none slips out.
# To record a deliberate change: tests/install/symbols.sh --record path/to/libplc.so
set -euo pipefail
record=$(dirname "$0")/symbols.txt

exported() {
    "${NM:-nm}" -D --defined-only "$1" | awk '$2 != "A" { sub(/@@/, " ", $3); print $3 }' | LC_ALL=C sort
}

if [[ ${1-} == --record ]]; then
    exported "$2" >"$record"
    exit
fi
if ! diff -u "$record" <(exported "$LIBDIR/libplc.so"); then
    echo "The exported symbols changed. If that is meant, record it: $0 --record $LIBDIR/libplc.so"
    exit 1
fi
echo "$(wc -l <"$record") symbols, all on record"
