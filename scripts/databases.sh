#!/usr/bin/env bash
# Sees to it that the programs of PostgreSQL, MariaDB and PgBouncer are there for the tests, which start servers of their own.
# On Debian and Ubuntu, as root, it installs what is missing, and leaves no service running; elsewhere it says what to do.
set -uo pipefail

missing() {
    compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || command -v initdb >/dev/null || echo postgresql
    { PATH=$PATH:/usr/sbin command -v mariadbd && command -v mariadb-install-db; } >/dev/null || echo mariadb-server
    PATH=$PATH:/usr/sbin command -v pgbouncer >/dev/null || echo pgbouncer
}

wanted=$(missing | xargs)
[ -z "$wanted" ] && exit 0

say() {
    echo "databases: the store's tests need $wanted, which is not here." >&2
    echo "databases: $1; on Debian and Ubuntu: apt-get install $wanted; on macOS: brew install postgresql@15 mariadb pgbouncer" >&2
    exit 1
}

command -v apt-get >/dev/null || say "install it with this system's packages"
[ "$(id -u)" = 0 ] || say "install it as root"

echo "databases: installing $wanted"
undo=()
trap 'for each in "${undo[@]}"; do rm -f "$each"; done' EXIT
if [ ! -e /usr/sbin/policy-rc.d ]; then # else the packages start their servers
    printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
    chmod 755 /usr/sbin/policy-rc.d
    undo+=(/usr/sbin/policy-rc.d)
fi
if [ ! -e /etc/postgresql-common/createcluster.conf ]; then # nor is a cluster needed
    mkdir -p /etc/postgresql-common
    echo "create_main_cluster = false" >/etc/postgresql-common/createcluster.conf
fi
export DEBIAN_FRONTEND=noninteractive
get() { apt-get -qq -o DPkg::Lock::Timeout=120 -o Dpkg::Options::=--force-confold -o Acquire::Retries=3 "$@" >"$log" 2>&1; }
log=$(mktemp)
undo+=("$log")
# shellcheck disable=SC2086  # words
get install -y --no-install-recommends $wanted || { get update && get install -y --no-install-recommends $wanted; } ||
    { tail -20 "$log" >&2; say "apt-get could not install it, its last words are above"; }
wanted=$(missing | xargs)
[ -z "$wanted" ] || say "apt-get installed it, but its programs cannot be found"
