# SPDX-License-Identifier: MIT OR Apache-2.0
# Every public header compiles alone, twice in a row, without a warning, in each language and with each compiler here.
set -euo pipefail
warnings=(-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror -fsyntax-only)
checked=0

# check COMPILER HEADER FLAG...
check() {
    local compiler=$1 header=$2
    shift 2
    if ! printf '#include <%s>\n#include <%s>\nint main(void) { return 0; }\n' "$header" "$header" |
        "$compiler" "$@" "${warnings[@]}" -I"$INCLUDEDIR" -; then
        echo "$header does not compile alone with: $compiler $*"
        exit 1
    fi
    checked=$((checked + 1))
}

for path in "$INCLUDEDIR"/plc/*.h "$INCLUDEDIR"/plc/*.hpp; do
    header=plc/${path##*/}
    for compiler in gcc clang; do
        command -v "$compiler" >/dev/null || continue
        extra=()
        [[ $compiler != clang ]] || extra=(-Wthread-safety)
        if [[ $header == *.h ]]; then
            check "$compiler" "$header" -x c -std=c11 "${extra[@]}"
            check "$compiler" "$header" -x c -std=gnu17 "${extra[@]}"
            check "$compiler" "$header" -x c -std=c11 -DPLC_CHECKED "${extra[@]}"
        fi
        check "$compiler" "$header" -x c++ -std=c++17 "${extra[@]}"
        check "$compiler" "$header" -x c++ -std=c++20 "${extra[@]}"
        check "$compiler" "$header" -x c++ -std=c++17 -fsanitize=thread "${extra[@]}"
    done
done
echo "$checked compilations"
[[ $checked -gt 0 ]]
