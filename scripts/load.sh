#!/usr/bin/env bash
# Runs a load profile against the local server, or against a fresh one when none is there.
#
#   scripts/load.sh LOADGEN SEQUENCER PROFILE [ARG...]      ARGs go to `loadgen run`
#
# With --env or --url among the arguments, that target is used, and its key comes from the
# environment. Without: the server of `make dev` when it answers, with the key in data/; else a
# server of this script's own on free ports, in a folder that ends with it. The exit code is
# loadgen's verdict.
set -euo pipefail

loadgen=$(realpath "$1")
sequencer=$(realpath "$2")
profile=$3
shift 3
folder=
server=

finish() {
    if [ -n "$server" ]; then
        kill "$server" 2>/dev/null || true
        wait "$server" 2>/dev/null || true
    fi
    if [ -n "$folder" ]; then rm -rf "$folder"; fi
}
trap finish EXIT
# Ctrl-C goes to loadgen, which ends in order; this script waits for it.
trap : INT TERM

fail() {
    printf 'load: %s\n' "$*" >&2
    if [ -n "$folder" ] && [ -s "$folder/log" ]; then tail -n 20 "$folder/log" >&2; fi
    exit 1
}

# address NAME: where the server said that it listens.
address() {
    sed -n "s/.*\"message\":\"serving\".*\"$1\":\"\([^\"]*\)\".*/\1/p" "$folder/log"
}

run() { "$loadgen" run "$profile" "$@"; }

for argument in "$@"; do
    case $argument in --env | --env=* | --url | --url=*) run "$@" && exit 0 || exit $? ;; esac
done

if (exec 3<>/dev/tcp/127.0.0.1/8080) 2>/dev/null; then
    if [ -z "${SEQUENCER_API_KEY:-}" ] && [ -r data/bootstrap.key ]; then
        SEQUENCER_API_KEY=$(cat data/bootstrap.key)
        export SEQUENCER_API_KEY
    fi
    run "$@" && exit 0 || exit $?
fi

folder=$(mktemp -d)
(cd "$folder" && exec env -i PATH="$PATH" LLVM_PROFILE_FILE=/dev/null PORT=0 OPS_PORT=0 \
    "$sequencer" serve 2>"$folder/log" >/dev/null) &
server=$!
for _ in $(seq 100); do
    if [ -n "$(address api)" ]; then break; fi
    if ! kill -0 "$server" 2>/dev/null; then fail "the server did not start"; fi
    sleep 0.1
done
if [ -z "$(address api)" ]; then fail "the server did not start within 10 s"; fi
printf 'no server on port 8080: a fresh one listens on %s for this run\n' "$(address api)"
SEQUENCER_API_KEY=$(cat "$folder/data/bootstrap.key")
export SEQUENCER_API_KEY
status=0
run --url "http://$(address api)" --operations-url "http://$(address operations)" "$@" || status=$?
exit "$status"
