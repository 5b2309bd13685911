# SPDX-License-Identifier: MIT OR Apache-2.0
# Users built with ThreadSanitizer and linked to the plain library: it is quiet about right programs, because the
# headers announce the locks to it, and still finds a mistake.
set -euo pipefail
here=$(dirname "$0")
rm -rf "$BUILD"
mkdir -p "$BUILD"
export LD_LIBRARY_PATH=$LIBDIR TSAN_OPTIONS='exitcode=66 report_bugs=1'
flags=(-g -O1 -fsanitize=thread -pthread "-I$INCLUDEDIR" "-L$LIBDIR" -lplc)

# Old ThreadSanitizers cannot place their shadow under the address randomisation of new kernels.
run=()
! setarch -R true 2>/dev/null || run=(setarch -R)

# A compiler may lack the runtime library; then there is nothing to be said about it.
if ! echo 'int main(void) { return 0; }' | "$CC" -x c - -fsanitize=thread -o "$BUILD/probe" 2>/dev/null; then
    echo "$CC has no ThreadSanitizer"
    exit 0
fi

"$CC" -std=c11 "$here/consumer/main.c" -o "$BUILD/c" "${flags[@]}"
"$CXX" -std=c++17 "$here/consumer/main.cc" -o "$BUILD/cxx" "${flags[@]}"
"$CC" -std=c11 -DRACY "$here/consumer/main.c" -o "$BUILD/racy" "${flags[@]}"

for program in c cxx; do
    echo "$program must be quiet"
    "${run[@]}" "$BUILD/$program" >"$BUILD/$program.log" 2>&1 || { cat "$BUILD/$program.log"; exit 1; }
    ! grep -q 'WARNING: ThreadSanitizer' "$BUILD/$program.log" || { cat "$BUILD/$program.log"; exit 1; }
done

echo "racy must be reported"
status=0
"${run[@]}" "$BUILD/racy" >"$BUILD/racy.log" 2>&1 || status=$?
if [[ $status -ne 66 ]] || ! grep -q 'data race' "$BUILD/racy.log" || ! grep -q make_one_mistake "$BUILD/racy.log"; then
    cat "$BUILD/racy.log"
    echo "ThreadSanitizer did not see the race (status $status)"
    exit 1
fi
