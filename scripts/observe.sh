#!/usr/bin/env bash
# A development server and its sidecar as in dev.sh, and a Prometheus with our rules and an
# Alertmanager that watch them; Ctrl-C ends all four.
#
#   scripts/observe.sh SEQUENCER SIDECAR ALERTS [ARG...]     three programs; ARGs as in dev.sh
#
# PROMETHEUS_PORT (9090) and ALERTMANAGER_PORT (9093) choose where they listen, on loopback. What
# they keep, their configuration and their logs are in `observe` beside the sequencer's keys. The
# exit code is the sequencer's.
set -euo pipefail

here=$(dirname "${BASH_SOURCE[0]}")
alerts=$3
PROMETHEUS_PORT=${PROMETHEUS_PORT:-9090}
ALERTMANAGER_PORT=${ALERTMANAGER_PORT:-9093}
# How long a server may take to start, and to end, in tenths of a second.
PATIENCE=150
# Objectives are counted over 30 days.
RETENTION=32d
dev=
watching=()
folder=$(mktemp -d)

# A reader that has gone away, as `head` does, is no reason to end.
trap : PIPE
say() { printf '%s\n' "$*" 2>/dev/null || true; }

fail() {
    printf 'observe: %s\n' "$*" >&2
    exit 1
}

alive() { [ -n "$1" ] && kill -0 "$1" 2>/dev/null; }

# Those that watch first: what they would see of a server that stops is no news.
stop() {
    local one
    for one in "${watching[@]}"; do kill -TERM "$one" 2>/dev/null || true; done
    for one in "${watching[@]}"; do
        for _ in $(seq "$PATIENCE"); do
            if ! alive "$one"; then break; fi
            sleep 0.1
        done
        kill -KILL "$one" 2>/dev/null || true
    done
    if alive "$dev"; then kill -TERM "$dev" 2>/dev/null || true; fi
}

finish() {
    stop
    if [ -n "$dev" ]; then wait "$dev" 2>/dev/null || true; fi
    rm -rf "$folder"
}
trap finish EXIT
trap stop INT TERM HUP

# program NAME OTHER_NAME: what `make tools` unpacked, or what is installed.
program() {
    local name
    for name in "$here/../.tools/bin/$1" "$1" "$2"; do
        if command -v "$name"; then return; fi
    done
    fail "$1 is missing: install it with \`make tools WHAT='promtool alertmanager'\`"
}

# start NAME PORT COMMAND...: returns when it listens.
start() {
    local name=$1 port=$2 log
    shift 2
    log=$observed/$name.log
    if (: <>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
        fail "something else listens on 127.0.0.1:$port (${name^^}_PORT)"
    fi
    set -m
    "$@" >"$log" 2>&1 3<&- &
    set +m
    watching+=($!)
    for _ in $(seq "$PATIENCE"); do
        if (: <>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then return; fi
        if ! alive "${watching[-1]}"; then break; fi
        sleep 0.1
    done
    fail "$name did not start: $(tail -n 1 "$log")"
}

# watch OPERATIONS SIDECAR DATA: both servers, told where the two processes listen.
watch() {
    local operations=${1#http://} sidecar=$2 prometheus alertmanager
    observed=$3/observe
    mkdir -p "$observed/prometheus" "$observed/alertmanager"
    prometheus=$(program prometheus prometheus)
    alertmanager=$(program alertmanager prometheus-alertmanager)
    "$alerts" generate --out "$observed/config" >/dev/null
    sed -e "s/127\.0\.0\.1:8081/$operations/" -e "s/127\.0\.0\.1:9091/$sidecar/" \
        -e "s/127\.0\.0\.1:9093/127.0.0.1:$ALERTMANAGER_PORT/" \
        "$observed/config/prometheus.example.yaml" >"$observed/config/prometheus.yaml"
    start alertmanager "$ALERTMANAGER_PORT" "$alertmanager" --cluster.listen-address= \
        --config.file="$observed/config/alertmanager.example.yaml" \
        --storage.path="$observed/alertmanager" \
        --web.listen-address="127.0.0.1:$ALERTMANAGER_PORT"
    start prometheus "$PROMETHEUS_PORT" "$prometheus" --config.file="$observed/config/prometheus.yaml" \
        --storage.tsdb.path="$observed/prometheus" --storage.tsdb.retention.time=$RETENTION \
        --web.listen-address="127.0.0.1:$PROMETHEUS_PORT"
    say "prometheus   http://127.0.0.1:$PROMETHEUS_PORT/alerts   (rules and logs: $observed)"
    say "alertmanager http://127.0.0.1:$ALERTMANAGER_PORT/   (its receivers are an example: nothing is sent)"
    say "boards       dashboards preview --prometheus http://127.0.0.1:$PROMETHEUS_PORT --out $observed/boards"
}

mkfifo "$folder/output"
# Process groups of their own: Ctrl-C reaches them once, through this script.
set -m
"$here/dev.sh" "$1" "$2" "${@:4}" >"$folder/output" &
dev=$!
set +m
exec 3<"$folder/output"

page=
while IFS= read -r line <&3; do
    say "$line"
    case $line in
        'status page  http://'*)
            page=${line#status page  http://}
            page=${page%%/*}
            ;;
        'serving on '*)
            pattern='operations on ([^ ]+), keys in (.+)$'
            [[ $line =~ $pattern ]] || fail "\`$line\` is not understood"
            watch "${BASH_REMATCH[1]}" "$page" "${BASH_REMATCH[2]}"
            ;;
    esac
done

# A signal interrupts a wait; the last one tells how the sequencer ended.
while alive "$dev"; do wait "$dev" || true; done
status=0
wait "$dev" || status=$?
exit "$status"
