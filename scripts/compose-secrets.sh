#!/usr/bin/env bash
# Makes the secrets of compose.stack.yaml, once: a file of variables for each service in
# data/compose. What is there stays as it is, because the database was made with it.
#
#   scripts/compose-secrets.sh
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
folder=data/compose
if [ -e "$folder" ]; then exit 0; fi

# random BYTES: as hex digits.
random() { od -An -N "$1" -tx1 /dev/urandom | tr -d ' \n'; }

# write SERVICE LINE...
write() {
    local service=$1
    shift
    printf '%s\n' "$@" >"$made/$service.env"
}

umask 077
mkdir -p data
# All of them or none: the last step is a rename.
made=$(mktemp -d data/.compose.XXXXXX)
trap 'rm -rf "$made"' EXIT
password=$(random 16)
store=DATABASE_URL=postgres://sequencer:$password@127.0.0.1:5432/sequencer
admin=ss_$(random 24)
sidecar=ss_$(random 24)
write postgres "POSTGRES_PASSWORD=$password"
write sequencer "$store" "BOOTSTRAP_ADMIN_API_KEY=$admin" "BOOTSTRAP_SIDECAR_API_KEY=$sidecar" \
    "VES_SEQUENCER_SIGNING_KEY=$(random 32)"
write sidecar "$store" "SEQUENCER_API_KEY=$sidecar"
write loadgen "SEQUENCER_API_KEY=$admin"
write grafana "GRAFANA_ADMIN_PASSWORD=$(random 12)"
mv "$made" "$folder"
trap - EXIT
printf 'compose: made the secrets in %s\n' "$folder" >&2
