# SPDX-License-Identifier: MIT OR Apache-2.0
# The C and C++ that the README shows compiles against the installed tree.
set -euo pipefail
readme=$(dirname "$0")/../../README.md

# blocks LANGUAGE: the fenced blocks in that language.
blocks() {
    awk -v fence="\`\`\`$1" '$0 == fence { inside = 1; next } /^```/ { inside = 0 } inside' "$readme"
}

for language in c cpp; do
    [[ -n $(blocks $language) ]] || { echo "the README shows no $language"; exit 1; }
done
blocks c | "$CC" -x c -std=c11 -Wall -Wextra -Werror -fsyntax-only -I"$INCLUDEDIR" -
blocks cpp | "$CXX" -x c++ -std=c++17 -Wall -Wextra -Werror -fsyntax-only -I"$INCLUDEDIR" -
