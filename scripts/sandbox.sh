#!/usr/bin/env bash
# Sees to it that bubblewrap is there, which confines plugins, for the tests that confine some.
# On Debian and Ubuntu, as root, it installs it; elsewhere it says what to do.
set -uo pipefail

command -v bwrap >/dev/null && exit 0

say() {
    echo "sandbox: the tests of plugins' sandboxes need bubblewrap, which is not here." >&2
    echo "sandbox: $1; on Debian and Ubuntu: apt-get install bubblewrap" >&2
    exit 1
}

command -v apt-get >/dev/null || say "install it with this system's packages"
[ "$(id -u)" = 0 ] || say "install it as root"

echo "sandbox: installing bubblewrap"
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
trap 'rm -f "$log"' EXIT
get() { apt-get -qq -o DPkg::Lock::Timeout=120 -o Acquire::Retries=3 "$@" >"$log" 2>&1; }
install() { get install -y --no-install-recommends bubblewrap; }
install || { get update && install; } || { tail -20 "$log" >&2; say "apt-get could not install it, its last words are above"; }
command -v bwrap >/dev/null || say "apt-get installed it, but its program cannot be found"
