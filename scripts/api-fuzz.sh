#!/usr/bin/env bash
# Tests a fresh server against its own contract with schemathesis, then checks the whole log that
# the test left behind.
#
#   scripts/api-fuzz.sh PROGRAM
#
# The server gets free ports and a folder of its own; both end with this script.
set -euo pipefail

# A run takes about a minute; one that hangs ends here.
LIMIT_SECONDS=300

cd "$(dirname "${BASH_SOURCE[0]}")/.."
program=$(realpath "$1")
folder=$(mktemp -d)
server=

finish() {
    if [ -n "$server" ]; then
        kill "$server" 2>/dev/null || true
        wait "$server" || true
    fi
    rm -rf "$folder"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

fail() {
    printf 'api-fuzz: %s\n' "$*" >&2
    if [ -s "$folder/log" ]; then tail -n 20 "$folder/log" >&2; fi
    exit 1
}

# address NAME: where the server said that it listens.
address() {
    sed -n "s/.*\"message\":\"serving\".*\"$1\":\"\([^\"]*\)\".*/\1/p" "$folder/log"
}

key() { cat "$folder/data/bootstrap.key"; }

# Nothing of this environment but PATH configures the server. An instrumented program would leave
# a profile behind.
(cd "$folder" && exec env -i PATH="$PATH" LLVM_PROFILE_FILE=/dev/null PORT=0 OPS_PORT=0 \
    "$program" serve 2>"$folder/log" >/dev/null) &
server=$!
for _ in $(seq 100); do
    if [ -n "$(address api)" ]; then break; fi
    if ! kill -0 "$server" 2>/dev/null; then fail "the server did not start"; fi
    sleep 0.1
done
if [ -z "$(address api)" ]; then fail "the server did not start within 10 s"; fi

# fuzz ADDRESS ARGUMENT...: one run of schemathesis, all checks, over the port at this address.
fuzz() {
    local url=http://$1
    shift
    SEQUENCER_API_KEY=$(key) timeout "$LIMIT_SECONDS" schemathesis --config-file schemathesis.toml \
        run "http://$(address api)/openapi.json" --url "$url" "$@"
}

# Three examples of the contract first, in the order in which each can succeed: the key, event and
# commitment they leave behind let the generated requests reach further than 404.
for operation in registerAgentKey ingest createCommitment; do
    fuzz "$(address api)" --include-operation-id "$operation" --phases examples \
        >"$folder/example" || {
        cat "$folder/example"
        fail "the example of $operation is not answered as the contract says"
    }
done
fuzz "$(address api)" --exclude-tag operations
# None of these routes leads to another, so there are no sequences of requests to try.
fuzz "$(address operations)" --include-tag operations --phases examples,coverage,fuzzing

# What was asked of the server must have left a sound log.
(cd "$folder" && env -i PATH="$PATH" LLVM_PROFILE_FILE=/dev/null "$program" verify \
    --url "http://$(address api)" --api-key-file data/bootstrap.key)
if grep -E '"level":"ERROR"' "$folder/log"; then fail "the server logged these errors"; fi
