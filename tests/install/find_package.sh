# SPDX-License-Identifier: MIT OR Apache-2.0
# A project that uses find_package(plc) builds against the installed tree and runs, from C and C++, shared and static.
set -euo pipefail
here=$(dirname "$0")
rm -rf "$BUILD"
"$CMAKE" -S "$here/consumer" -B "$BUILD" -G "$GENERATOR" -DCMAKE_PREFIX_PATH="$TREE" -DCMAKE_C_COMPILER="$CC" \
    -DCMAKE_CXX_COMPILER="$CXX"
"$CMAKE" --build "$BUILD"
for program in c_plc c_plc_static cxx_plc cxx_plc_static; do
    echo "$program"
    "$BUILD/$program"
done
if compgen -G "$LIBDIR/libplc_uv.so*" >/dev/null; then
    for program in c_plc_uv c_plc_uv_static; do
        echo "$program"
        "$BUILD/$program"
    done
fi
