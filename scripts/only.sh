#!/bin/sh
# A runner for cargo: starts a test program when its name is in ONLY, and passes over the others. With
# `--test NAME` cargo would choose other features of dependencies, and compile most of them again.
#
#   ONLY="api checks" CARGO_TARGET_..._RUNNER=scripts/only.sh cargo test --workspace --tests
set -eu

name=$(basename "$1")
case " $ONLY " in
    *" ${name%-*} "*) exec "$@" ;;
esac
