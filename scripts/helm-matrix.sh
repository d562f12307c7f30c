#!/usr/bin/env bash
# Renders the chart with every value file of helm/ci, dev and prod, as Kubernetes of several versions
# with and without the Prometheus operator, and checks each document against that version's schema.
# Every file in helm/ci/refused must be refused with the sentence of its first line.
#
#   scripts/helm-matrix.sh          needs helm and kubernetes-validate (scripts/tools.sh)
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
# Nothing here may ask a cluster, or look like it.
export KUBECONFIG=/dev/null
PATH=$PWD/.tools/bin:$PATH
# The oldest that the chart takes, the last without and the first with native sidecars, the newest
# that there is a schema for.
VERSIONS="1.27 1.28 1.29 1.33 1.37"
# The boards are ConfigMaps of a hundred thousand characters, the same in every version: they are
# looked at in one.
BOARDS_IN=1.33
OPERATOR="--api-versions monitoring.coreos.com/v1/ServiceMonitor --api-versions monitoring.coreos.com/v1/PrometheusRule"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
renders=0

fail() {
    printf 'helm-matrix: %s\n' "$*" >&2
    exit 1
}

# render FILE ARG...: the manifest in $work/out, what helm said against it in $work/said.
render() {
    local file=$1
    shift
    helm template sequencer helm --namespace events --values "$file" "$@" \
        >"$work/out" 2>"$work/said"
}

# kubernetes-validate passes what it has no schema for with a warning: only the operator's kinds may.
check() { # CASE VERSION
    if ! kubernetes-validate --strict -k "$2" "$work/out" >"$work/checked" 2>&1; then
        grep -E 'ERROR|failed|not valid' "$work/checked" >&2 || tail -n 20 "$work/checked" >&2
        fail "$1, Kubernetes $2: a document does not fit its schema"
    fi
    if grep "Couldn't find schema" "$work/checked" |
        grep -vE 'kind (ServiceMonitor|PrometheusRule) ' >&2; then
        fail "$1, Kubernetes $2: a kind without a schema"
    fi
    # no object twice, and none that is empty
    awk '/^---/ { if (seen && !body) exit 1; seen = 1; body = 0; next }
        !/^(#|$)/ { body = 1 }' "$work/out" || fail "$1, Kubernetes $2: an empty document"
    if awk '/^---/ { kind = ""; name = "" } /^kind: / { kind = $2 }
        /^  name: / && name == "" { name = $2; print kind "/" name }' "$work/out" |
        sort | uniq -d | grep . >&2; then
        fail "$1, Kubernetes $2: an object is there twice"
    fi
}

for file in helm/dev-values.yaml helm/prod-values.yaml helm/ci/*.yaml; do
    case=$(basename "$file" .yaml)
    helm lint --strict helm --values "$file" >"$work/said" 2>&1 || {
        cat "$work/said" >&2
        fail "$case: lint"
    }
    for version in $VERSIONS; do
        boards=
        if [ "$version" != $BOARDS_IN ]; then boards="--set dashboards.enabled=false"; fi
        for operator in "" "$OPERATOR"; do
            # shellcheck disable=SC2086 # several words on purpose
            if ! render "$file" --kube-version "$version.0" $boards $operator; then
                cat "$work/said" >&2
                fail "$case, Kubernetes $version"
            fi
            renders=$((renders + 1))
        done
        check "$case" "$version"
    done
done

refused=0
for file in helm/ci/refused/*.yaml; do
    expect=$(sed -n '1s/^# expect: //p' "$file")
    if [ -z "$expect" ]; then fail "$file: the first line says what to expect"; fi
    # shellcheck disable=SC2086 # the same
    if render "$file" --kube-version 1.33.0 $OPERATOR; then fail "$file: it is not refused"; fi
    if ! grep -qE "$expect" "$work/said"; then
        cat "$work/said" >&2
        fail "$file: it is refused in other words"
    fi
    refused=$((refused + 1))
done

# a cloud's version has more behind the numbers; an older cluster is refused
render helm/dev-values.yaml --kube-version 1.29.0-gke.1234 || fail "a version of a cloud is refused"
grep -q '^          restartPolicy: Always' "$work/out" || fail "1.29.0-gke has no native sidecar"
if render helm/dev-values.yaml --kube-version 1.26.9; then fail "Kubernetes 1.26 is not refused"; fi

helm package helm --destination "$work" >/dev/null 2>&1 || fail "the chart cannot be packaged"
printf 'helm-matrix: %s renders and %s refusals as they should be\n' "$renders" "$refused"
