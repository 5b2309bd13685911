# SPDX-License-Identifier: MIT OR Apache-2.0
# plc.pc gives flags that build C and C++ users, shared and static, and it still does so when the tree has been moved.
set -euo pipefail
here=$(dirname "$0")
rm -rf "$BUILD"
mkdir -p "$BUILD"
cp -R "$TREE" "$BUILD/moved"
export PKG_CONFIG_PATH=$BUILD/moved/${LIBDIR#"$TREE"/}/pkgconfig
pkg-config --modversion plc
read -r -a flags <<<"$(pkg-config --cflags --libs plc)"
read -r -a static_flags <<<"$(pkg-config --static --cflags --libs plc)"
libdir=$(pkg-config --variable=libdir plc)

"$CC" -std=c11 -pthread "$here"/consumer/main.c "$here"/consumer/layout.c -o "$BUILD/c" "${flags[@]}"
"$CXX" -std=c++17 -pthread "$here/consumer/main.cc" -o "$BUILD/cxx" "${flags[@]}"
LD_LIBRARY_PATH=$libdir "$BUILD/c"
LD_LIBRARY_PATH=$libdir "$BUILD/cxx"

# The static library alone satisfies the static flags: the shared one is hidden from the linker.
rm "$libdir"/libplc.so*
"$CC" -std=c11 -pthread "$here/consumer/main.c" -o "$BUILD/c_static" "${static_flags[@]}"
"$BUILD/c_static"
