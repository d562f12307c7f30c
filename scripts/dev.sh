#!/usr/bin/env bash
# A development server with its sidecar beside it; Ctrl-C ends both.
#
#   scripts/dev.sh SEQUENCER SIDECAR [ARG...]      the two programs; ARGs go to the sequencer's `dev`
#
# The sidecar is told where the sequencer listens, so free ports work: PORT=0 OPS_PORT=0, and
# SIDECAR_PORT=0. Its own output is in sidecar.log beside the sequencer's keys. The exit code is
# the sequencer's.
set -euo pipefail

sequencer=$1
sidecar=$2
shift 2
# How long the sidecar may take to start, and to end, in tenths of a second.
PATIENCE=100
server=
beside=
folder=$(mktemp -d)

# A reader that has gone away, as `head` does, is no reason to end.
trap : PIPE
say() { printf '%s\n' "$*" 2>/dev/null || true; }

fail() {
    printf 'dev: %s\n' "$*" >&2
    exit 1
}

alive() { [ -n "$1" ] && kill -0 "$1" 2>/dev/null; }

# The sidecar first: what it would see of a server that stops is no news.
stop_sidecar() {
    if ! alive "$beside"; then return; fi
    kill -TERM "$beside" 2>/dev/null || true
    for _ in $(seq "$PATIENCE"); do
        if ! alive "$beside"; then return; fi
        sleep 0.1
    done
    kill -KILL "$beside" 2>/dev/null || true
}

stop() {
    stop_sidecar || true # in a trap, `return` gives what failed before it
    if alive "$server"; then kill -TERM "$server" 2>/dev/null || true; fi
}

finish() {
    stop
    if [ -n "$server" ]; then wait "$server" 2>/dev/null || true; fi
    rm -rf "$folder"
}
trap finish EXIT
trap stop INT TERM HUP

# start_sidecar API OPERATIONS DATA STORE: returns when it serves, and says where.
start_sidecar() {
    local data=$3 store=$4 log=$3/sidecar.log address
    if [ -n "${BOOTSTRAP_SIDECAR_API_KEY:-}" ]; then
        export SEQUENCER_API_KEY=$BOOTSTRAP_SIDECAR_API_KEY
    else
        unset SEQUENCER_API_KEY
    fi
    # A password is not shown: such a store is the one of the environment.
    case $store in *'(redacted)'*) ;; *) export DATABASE_URL=$store ;; esac
    (umask 077 && : >"$log")
    set -m
    SEQUENCER_URL=$1 SEQUENCER_OPS_URL=$2 DATA_DIR=$data \
        RUNBOOKS_DIR=${RUNBOOKS_DIR:-$(dirname "$0")/../runbooks/pages} \
        SIDECAR_STATE_DIR=${SIDECAR_STATE_DIR:-$data/sidecar} "$sidecar" >"$log" 2>&1 3<&- &
    beside=$!
    set +m
    for _ in $(seq "$PATIENCE"); do
        address=$(sed -n 's/.*"message":"serving".*"address":"\([^"]*\)".*/\1/p' "$log")
        if [ -n "$address" ]; then
            say "status page  http://$address/   (its log: $log)"
            return
        fi
        if ! alive "$beside"; then fail "the sidecar did not start: $(tail -n 1 "$log")"; fi
        sleep 0.1
    done
    fail "the sidecar did not start in time; its log is $log"
}

mkfifo "$folder/output"
# Process groups of their own: Ctrl-C reaches them once, through this script.
set -m
"$sequencer" dev "$@" >"$folder/output" &
server=$!
set +m
exec 3<"$folder/output"

# Its first lines wait until the sidecar is there, whose address comes before them.
held=()
store=
while IFS= read -r line <&3; do
    if [ -n "$beside" ]; then
        say "$line"
        continue
    fi
    held+=("$line")
    case $line in
        'the store is '*) store=${line#the store is } ;;
        'serving on '*)
            pattern='^serving on ([^ ]+), operations on ([^ ]+), keys in (.+)$'
            [[ $line =~ $pattern ]] || fail "\`$line\` is not understood"
            start_sidecar "${BASH_REMATCH[@]:1:3}" "$store"
            for line in "${held[@]}"; do say "$line"; done
            ;;
    esac
done

if [ -z "$beside" ]; then for line in "${held[@]}"; do say "$line"; done; fi

# A signal interrupts a wait; the last one tells how the sequencer ended.
while alive "$server"; do wait "$server" || true; done
status=0
wait "$server" || status=$?
exit "$status"
