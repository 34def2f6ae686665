#!/usr/bin/env bash
# Make the Python environment in .venv from the hashed locks. Usage: ./setup.sh operator|development
# Can be run again at any time; does nothing when the lock has not changed.
set -euo pipefail
cd "$(dirname "$0")"
lock="requirements/${1:-operator}.txt"
wanted="$(cat requirements/uv.txt "$lock" | sha256sum | cut -c1-64)"
stamp=".venv/locked-${1:-operator}"
[ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ] && exit 0
began=$SECONDS

fail() { printf 'error: %s\nnext:  %s\n' "$1" "$2" >&2; exit 4; }

new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

find_python() {
    for name in python3 python3.14 python3.13 python3.12 python3.11; do
        if command -v "$name" >/dev/null && new_enough "$name"; then command -v "$name"; return; fi
    done
    return 1
}

if ! python="$(find_python)" || ! "$python" -c 'import venv, ensurepip' 2>/dev/null; then
    command -v apt-get >/dev/null || fail "Python 3.11 or newer with venv is not on this machine." "Install it, then type the same command again."
    [ "$(id -u)" = 0 ] || fail "Python's venv module is missing and installing it needs root." "apt-get install python3 python3-venv, or type the same command as root."
    echo "- Installing Python"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends python3 python3-venv ca-certificates >/dev/null
    python="$(find_python)" || fail "This distribution's Python is older than 3.11." "Install Python 3.11 or newer as python3.11, then type the same command again."
fi

echo "- Python environment ($lock)"
[ -x .venv/bin/python ] && new_enough .venv/bin/python || { rm -rf .venv; "$python" -m venv .venv; }
[ -x .venv/bin/uv ] || .venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.txt \
    || fail "uv could not be installed from the package index." "Check the network and pip's configuration (pip config list), then type the same command again."
.venv/bin/uv pip install --quiet --compile-bytecode --require-hashes --python .venv/bin/python -r "$lock" \
    || fail "The packages of $lock could not be installed." "Check the network and uv's configuration, then type the same command again."
echo "$wanted" > "$stamp"
echo "✓ Python environment $((SECONDS - began)) s"
