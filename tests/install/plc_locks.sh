# SPDX-License-Identifier: MIT OR Apache-2.0
# The installed plc-locks finds gdb's script beside the installed library, also after the tree was moved.
set -euo pipefail
rm -rf "$BUILD"
mkdir -p "$BUILD"
cp -a "$TREE" "$BUILD/moved"
for tree in "$TREE" "$BUILD/moved"; do
    ls "$tree${LIBDIR#"$TREE"}"/libplc.so.*-gdb.py
    "$tree/bin/plc-locks" --help | grep -q '^Usage: plc-locks'
    # It looks for its script before it looks for the process.
    said=$("$tree/bin/plc-locks" 999999999 2>&1) && { echo "looked into a process that is not there"; exit 1; }
    if [[ $said != *'there is no process 999999999'* && $said != *'needs gdb'* ]]; then
        echo "$tree/bin/plc-locks said: $said"
        exit 1
    fi
done
# Without the script it says what is missing.
rm "$BUILD/moved${LIBDIR#"$TREE"}"/libplc.so.*-gdb.py
said=$("$BUILD/moved/bin/plc-locks" 999999999 2>&1) && exit 1
[[ $said == *'cannot find libplc.so.'*'-gdb.py'* ]] || { echo "$said"; exit 1; }
