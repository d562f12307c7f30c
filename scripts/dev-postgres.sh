#!/usr/bin/env bash
# A development server with its sidecar on a PostgreSQL of its own, which ends with them.
#
#   scripts/dev-postgres.sh SEQUENCER SIDECAR [ARG...]      as scripts/dev.sh, which it runs
#
# The database is in data/postgres, on a free port of 127.0.0.1 that it keeps. Its password and the
# sequencer's secrets are made once, in data/dev-postgres.env. DATA_DIR names another folder.
set -euo pipefail

here=$(dirname "${BASH_SOURCE[0]}")
data=${DATA_DIR:-data}
folder=$data/postgres
cluster=$folder/cluster
secrets=$data/dev-postgres.env

fail() {
    printf 'dev-postgres: %s\n' "$*" >&2
    exit 1
}

# find_tool NAME: on PATH, or where Debian puts the newest.
find_tool() {
    local newest
    newest=$(compgen -G "/usr/lib/postgresql/*/bin/$1" | sort -V | tail -n 1 || true)
    command -v "$1" || { [ -n "$newest" ] && echo "$newest"; } ||
        fail "$1 of PostgreSQL is missing; install it: apt-get install postgresql"
}

# as_owner COMMAND...: PostgreSQL refuses to run as root.
as_owner() {
    if [ "$(id -u)" = 0 ]; then runuser -u postgres -- "$@"; else "$@"; fi
}

random_hex() { od -An -N32 -tx1 /dev/urandom | tr -d ' \n'; }

# A port that nobody answers on. Another program may take it before PostgreSQL does: then the start
# fails, and the next one looks for another.
free_port() {
    local port
    for _ in $(seq 100); do
        port=$((20000 + RANDOM % 10000))
        if ! (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
            echo "$port"
            return
        fi
    done
    fail "no free port between 20000 and 29999"
}

initdb=$(find_tool initdb)
pg_ctl=$(find_tool pg_ctl)
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
cluster=$folder/cluster

if [ ! -s "$secrets" ]; then
    (
        umask 077
        printf 'BOOTSTRAP_ADMIN_API_KEY=ss_00000000%s\n' "$(random_hex)"
        printf 'VES_SEQUENCER_SIGNING_KEY=%s\n' "$(random_hex)"
        printf 'DEV_POSTGRES_PASSWORD=%s\n' "$(random_hex)"
    ) >"$secrets.new" && chmod 600 "$secrets.new" && mv "$secrets.new" "$secrets"
fi
# One made by an older version knows no sidecar.
if ! grep -q '^BOOTSTRAP_SIDECAR_API_KEY=' "$secrets"; then
    printf 'BOOTSTRAP_SIDECAR_API_KEY=ss_ca000000%s\n' "$(random_hex)" >>"$secrets"
fi
set -a
# shellcheck source=/dev/null
. "$secrets"
set +a

if [ ! -s "$cluster/PG_VERSION" ]; then
    rm -rf "$cluster"
    (umask 077 && printf '%s\n' "$DEV_POSTGRES_PASSWORD" >"$folder/password")
    if [ "$(id -u)" = 0 ]; then chown -R postgres "$folder"; fi
    as_owner "$initdb" -D "$cluster" -U sequencer -A scram-sha-256 --pwfile="$folder/password" \
        -E UTF8 --locale=C >"$folder/initdb.log" 2>&1 || fail "$(tail -n 3 "$folder/initdb.log")"
    rm -f "$folder/password"
fi
if as_owner "$pg_ctl" -D "$cluster" status >/dev/null; then
    fail "the PostgreSQL of $folder runs already (process $(head -n 1 "$cluster/postmaster.pid"))"
fi
port=$(cat "$folder/port" 2>/dev/null || true)
if [ -z "$port" ] || (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
    port=$(free_port)
    echo "$port" >"$folder/port"
fi
as_owner "$pg_ctl" -D "$cluster" -w -l "$folder/log" \
    -o "-p $port -c listen_addresses=127.0.0.1 -c unix_socket_directories=''" start >/dev/null ||
    fail "PostgreSQL does not start: $(tail -n 3 "$folder/log")"
trap 'as_owner "$pg_ctl" -D "$cluster" -m fast -w stop >/dev/null' EXIT

export DATABASE_URL=postgres://sequencer:$DEV_POSTGRES_PASSWORD@127.0.0.1:$port/postgres
unset DEV_POSTGRES_PASSWORD
echo "PostgreSQL is in $folder on port $port; the secrets are in $secrets"
# A process group of its own: Ctrl-C reaches it once, through this script.
set -m
"$here/dev.sh" "$@" &
server=$!
set +m
trap 'kill -TERM "$server" 2>/dev/null || true' INT TERM
status=0
while kill -0 "$server" 2>/dev/null; do wait "$server" || true; done
wait "$server" || status=$?
exit "$status"
