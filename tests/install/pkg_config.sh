# SPDX-License-Identifier: MIT OR Apache-2.0
# plc.pc and plc-uv.pc give flags that build users, shared and static, and they still do so when the tree has been moved.
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

has_uv() { compgen -G "$libdir/libplc_uv.a" >/dev/null; }
if has_uv; then
    read -r -a uv_flags <<<"$(pkg-config --cflags --libs plc-uv)"
    read -r -a uv_static_flags <<<"$(pkg-config --static --cflags --libs plc-uv)"
    "$CC" -std=gnu11 -pthread "$here/consumer/uv.c" -o "$BUILD/c_uv" "${uv_flags[@]}"
    LD_LIBRARY_PATH=$libdir "$BUILD/c_uv"
fi

# The static libraries alone satisfy the static flags: the shared ones are hidden from the linker.
rm "$libdir"/libplc*.so*
"$CC" -std=c11 -pthread "$here/consumer/main.c" -o "$BUILD/c_static" "${static_flags[@]}"
"$BUILD/c_static"
if has_uv; then
    "$CC" -std=gnu11 -pthread "$here/consumer/uv.c" -o "$BUILD/c_uv_static" "${uv_static_flags[@]}"
    "$BUILD/c_uv_static"
fi
