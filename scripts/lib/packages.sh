# SPDX-License-Identifier: MIT OR Apache-2.0
# Installs Debian packages that are missing; sourced by the scripts.

# ensure_packages ITEM...: an ITEM is a package, or COMMAND=PACKAGE where any installation of the command will do.
# Calls apt-get only if something is absent.
ensure_packages() {
    local item missing=()
    for item in "$@"; do
        if [[ $item == *=* ]]; then
            command -v "${item%%=*}" >/dev/null || missing+=("${item#*=}")
        else
            dpkg-query -W -f='${db:Status-Status}\n' "$item" 2>/dev/null | grep -qx installed || missing+=("$item")
        fi
    done
    [[ ${#missing[@]} -eq 0 ]] && return 0

    if ! command -v apt-get >/dev/null; then
        echo "These are missing, and there is no apt-get to install them with: ${missing[*]}" >&2
        return 1
    fi
    local as_root=()
    if [[ $(id -u) -ne 0 ]]; then
        if ! command -v sudo >/dev/null; then
            echo "Please install as root: apt-get install ${missing[*]}" >&2
            return 1
        fi
        as_root=(sudo)
    fi
    echo "Installing ${missing[*]} ..."
    local log
    log=$(mktemp)
    if ! { "${as_root[@]}" apt-get update -q &&
        "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends "${missing[@]}"; } \
        >"$log" 2>&1; then
        cat "$log" >&2
        rm -f "$log"
        return 1
    fi
    rm -f "$log"
}

# are_installed ITEM...: whether all of these are there; installs nothing.
are_installed() {
    local item
    for item in "$@"; do
        if [[ $item == *=* ]]; then
            command -v "${item%%=*}" >/dev/null || return 1
        else
            dpkg-query -W -f='${db:Status-Status}\n' "$item" 2>/dev/null | grep -qx installed || return 1
        fi
    done
}

# ensure_stopped_packages ITEM...: the same as ensure_packages, for packages of servers, which Debian would start: as long as this takes,
# a policy forbids it, unless there is one already.
ensure_stopped_packages() {
    local policy=/usr/sbin/policy-rc.d as_root=() status=0
    are_installed "$@" && return 0
    [[ $(id -u) -eq 0 ]] || as_root=(sudo)
    if [[ -e $policy ]]; then
        ensure_packages "$@"
        return
    fi
    printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee $policy >/dev/null || return 1
    "${as_root[@]}" chmod +x $policy
    ensure_packages "$@" || status=$?
    "${as_root[@]}" rm -f $policy
    return $status
}
