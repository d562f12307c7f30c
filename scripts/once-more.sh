#!/usr/bin/env bash
# Runs a `cargo test` or `cargo llvm-cov`. When tests of it fail, each is run once more, alone: what
# then passes failed by its neighbours' load, is named, and does not make the run red. A test that
# fails twice does, as do more than three failures, and a build that fails.
#
#   scripts/once-more.sh COMMAND ARG...
set -euo pipefail

MOST=3
log=$(mktemp)
trap 'rm -f "$log"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

status=0
"$@" 2>&1 | tee "$log" || status=$?
if [ $status = 0 ]; then exit 0; fi

# A line "PROGRAM TEST" for each that failed: cargo names the program before its tests, and the last
# list that the program prints before its result is that of its failures.
failed=$(awk '$1 == "Running" { program = $NF; gsub(/[()]/, "", program) }
    /^failures:$/ { names = "" }
    /^    [A-Za-z0-9_:]+$/ { names = names program " " $1 "\n" }
    /^test result: FAILED/ { printf "%s", names }' "$log")
count=$(grep -c . <<<"$failed" || true)
if [ "$count" = 0 ] || [ "$count" -gt $MOST ]; then exit $status; fi
# Every program that failed has named its tests: one that was killed, or not built, has not.
programs=$(cut -d ' ' -f 1 <<<"$failed" | sort -u | grep -c .)
if ! grep -qE "^error: $programs targets? failed:" "$log"; then exit $status; fi

while read -r program name; do
    program=$(realpath "$program")
    # The crate's folder, where cargo runs its tests, from the first source that the program names.
    source=$(sed -n "1s/^[^:]*: \([^ ]*\).*/\1/p" "$program.d")
    case $source in
        */src/*) folder=${source%/src/*} ;;
        *) folder=${source%/tests/*} ;;
    esac
    printf '\n==== once more: %s\n' "$name"
    # Its lines were counted already.
    if ! (cd "$folder" && LLVM_PROFILE_FILE=/dev/null "$program" --exact "$name" \
        --include-ignored --nocapture </dev/null); then
        printf 'once more: %s failed again\n' "$name"
        exit $status
    fi
    printf 'once more: %s failed beside the others and passed alone\n' "$name"
done <<<"$failed"
