# SPDX-License-Identifier: MIT OR Apache-2.0
# Names each step of a script and says how long it took; sourced by the scripts.

STEP_TIMES=()

# step NAME COMMAND...: runs the command and remembers its time. If it fails, the script ends with its status.
step() {
    local name=$1 start=$SECONDS status=0
    shift
    printf '\n==> %s\n' "$name"
    # Not `|| status=$?`: bash would ignore every failing command but the last inside a function called that way.
    set +e
    (
        set -e
        "$@"
    )
    status=$?
    set -e
    if [[ $status -ne 0 ]]; then
        printf '==> %s FAILED after %d s\n' "$name" $((SECONDS - start)) >&2
        exit "$status"
    fi
    STEP_TIMES+=("$(printf '%5d s  %s' $((SECONDS - start)) "$name")")
    printf '==> %s: done in %d s\n' "$name" $((SECONDS - start))
}

# Prints the time of each step so far and their sum.
print_step_times() {
    printf '\n'
    printf '%s\n' "${STEP_TIMES[@]}"
    printf '%5d s  in all\n' "$SECONDS"
}
