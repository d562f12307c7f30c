# Everything a developer or a build machine does has its line here: `make help`.
# Tools that are missing go to .tools/ (scripts/tools.sh); nothing else is installed.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
# Recipes call cargo, which has its own jobs; two of them would wait for each other's lock.
.NOTPARALLEL:

TARGET := $(or $(CARGO_TARGET_DIR),target)
# Coverage and ci share one directory of their own. Only our crates are instrumented, so all the
# others are compiled once there, for tests, doc tests, clippy and docs; and a later `make test`
# in target/ never meets an instrumented crate.
CI_TARGET := $(abspath $(TARGET))/ci

# What `make dev` runs.
PROGRAMS := $(addprefix $(TARGET)/release/,sequencer sidecar)

# ARGS goes to the program: make demo ARGS="--help"
ARGS ?=
# The profile of `make load`; `loadgen list` shows them.
PROFILE ?= smoke
# WHAT names the tools to install: make tools WHAT="promtool llvm"
WHAT ?=
# The alert that `make drill` is about; unset: all.
ALERT ?=
# Parts of the tests run a second time under other conditions. They are chosen by a runner and not
# by --test, so that nothing is compiled twice (scripts/only.sh).
HOST = $(shell rustc -vV | sed -n 's/^host: //p' | tr 'a-z-' 'A-Z_')
RUN_ONLY = CARGO_TARGET_$(HOST)_RUNNER=$(CURDIR)/scripts/only.sh ONLY=
# The HTTP suite over PostgreSQL: without what is about one driver, or starts a PostgreSQL of its own
# anyway. With ARGS, only what they select is run, once.
OVER_POSTGRES = SEQUENCER_TEST_STORE=postgres $(RUN_ONLY)api
API_TESTS := --workspace --tests -- --skip embedded:: --skip store:: --skip replicas::
# What only root may do to a sidecar: disks and control groups of the tests' own. Less than a minute.
AS_ROOT = $(RUN_ONLY)"checks harm"
ROOT_TESTS := --workspace --tests -- --ignored --test-threads=1
# Images: one for each of these programs, below REGISTRY where that is set.
IMAGES := sequencer sidecar loadgen
REGISTRY ?=
# Tag and digest belong together.
GITLEAKS := ghcr.io/gitleaks/gitleaks:v8.30.1@sha256:c00b6bd0aeb3071cbcb79009cb16a60dd9e0a7c60e2be9ab65d25e6bc8abbb7f
# The tag of a release, for release-check.
TAG ?=
# An owner's name may have capitals, the name of an image may not.
PREFIX = $(shell printf '%s' '$(REGISTRY)' | tr '[:upper:]' '[:lower:]')
VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
RUST_VERSION := $(shell sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
IMAGE = $(if $(REGISTRY),$(PREFIX)/)stateset-$(1):$(VERSION)
# compose.stack.yaml beside compose.yaml; Grafana's password is asked for by name.
COMPOSE = docker compose --env-file data/compose/grafana.env -f compose.yaml -f compose.stack.yaml
LLVM_COV_TESTS := cargo llvm-cov --locked --no-fail-fast --no-report
# Lines of our crates that tests must reach. It may rise.
COVERAGE_MIN_LINES_PERCENT := 80

export PATH := $(CURDIR)/.tools/bin:$(PATH)
# scripts/tools.sh links the two programs that fit the compiler.
export LLVM_COV ?= $(CURDIR)/.tools/bin/llvm-cov
export LLVM_PROFDATA ?= $(CURDIR)/.tools/bin/llvm-profdata

## Start here

.PHONY: help
help: ## Print this list
	@bold=; name=; plain=; if [ -t 1 ]; then bold=$$(printf '\033[1m'); name=$$(printf '\033[36m'); plain=$$(printf '\033[0m'); fi; \
	awk -F ':.*## ' -v bold="$$bold" -v name="$$name" -v plain="$$plain" \
	    '/^## / { printf "%s%s%s%s\n", gap, bold, substr($$0, 4), plain; gap = "\n" } \
	    /^[a-z-]+:.*## / { printf "  make %s%-17s%s %s\n", name, $$1, plain, $$2 }' Makefile

## Run it

.PHONY: dev
dev: release-binary ## Start a complete development server and its sidecar; Ctrl-C ends both (ARGS="...")
	@exec scripts/dev.sh $(PROGRAMS) $(ARGS)

.PHONY: dev-postgres
dev-postgres: release-binary ## The same on a PostgreSQL in data/postgres, which it starts (ARGS="...")
	@exec scripts/dev-postgres.sh $(PROGRAMS) $(ARGS)

.PHONY: observe
observe: release-binary ## The same with a Prometheus and an Alertmanager that watch both (ARGS="...")
	@scripts/tools.sh promtool alertmanager
	@cargo build --locked --release -p alerts -p dashboards
	@exec scripts/observe.sh $(PROGRAMS) $(TARGET)/release/alerts $(ARGS)

.PHONY: demo
demo: release-binary ## Send events to the running server and check the proofs (ARGS="...")
	@$(TARGET)/release/sequencer demo $(ARGS)

.PHONY: migrate
migrate: release-binary ## Bring the configured store to this version's schema (ARGS="...")
	@$(TARGET)/release/sequencer migrate $(ARGS)

.PHONY: bench
bench: ## Measure throughput and latency (ARGS="...")
	cargo bench --locked -p sequencer --bench throughput -- $(ARGS)

.PHONY: bench-overload
bench-overload: ## Measure what the server does under more load than it takes (ARGS="...")
	cargo bench --locked -p sequencer --bench throughput -- --only overload $(ARGS)

.PHONY: bench-growth
bench-growth: ## Measure empty stores against full ones; takes long (ARGS="--events 10000000")
	cargo bench --locked -p sequencer --bench throughput -- --only growth $(ARGS)

.PHONY: bench-loadgen
bench-loadgen: ## Measure how much load the load generator makes, against a stub, with wrk beside it
	cargo bench --locked -p loadgen --bench reach

.PHONY: load
load: ## Run a load profile, against the running server or a fresh one (PROFILE=smoke ARGS="...")
	@cargo build --locked --release -p loadgen -p sequencer
	@exec scripts/load.sh $(TARGET)/release/loadgen $(TARGET)/release/sequencer $(PROFILE) $(ARGS)

# The load and the servers are optimised, so that a busy machine is not the fault that fires.
.PHONY: drill
drill: tools-test ## Make each alert fire by a real fault, and play its runbook (ALERT=... ARGS="...")
	@cargo build --locked --release -p runbooks -p sequencer -p sidecar -p loadgen
	@$(TARGET)/release/runbooks drill $(ALERT) $(ARGS)
	@$(MAKE) generate >/dev/null

.PHONY: bench-sidecar
bench-sidecar: ## Measure what a sidecar costs its sequencer's clients, and what it costs idle
	cargo build --locked --release -p sidecar
	cargo bench --locked -p sequencer --bench throughput -- --only sidecar $(ARGS)

## Change it

.PHONY: build
build: ## Build all programs, optimised
	cargo build --locked --release

# One runner everywhere: cargo test also runs the doc tests, and there is nothing to install.
.PHONY: test
test: tools-test ## Run all tests
	cargo test --locked --workspace $(ARGS)
	$(if $(ARGS),,$(OVER_POSTGRES) cargo test --locked $(API_TESTS))

.PHONY: test-unit
test-unit: ## Run the tests inside the crates: no server, no tool
	cargo test --locked --workspace --lib --bins $(ARGS)

.PHONY: test-integration
test-integration: tools-test ## Run the tests that start servers and tools
	cargo test --locked --workspace --test '*' $(ARGS)
	$(if $(ARGS),,$(OVER_POSTGRES) cargo test --locked $(API_TESTS))

.PHONY: fmt
fmt: ## Format the code
	cargo fmt --all

.PHONY: lint
lint: check-fmt clippy ## Check formatting and lints

.PHONY: generate
generate: ## Write the generated files again (tests fail while one is stale)
	UPDATE_GOLDEN=1 cargo test --locked --workspace --test golden

.PHONY: docs
docs: ## Build the API documentation; a warning is an error
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --workspace

## Prove it

# Without the inclusion graphs, which fill pages: `cargo deny check bans` shows them. A wrapper
# that is not met is a room that does not use its right yet.
.PHONY: deny
deny: tools-deny ## Check licences, sources and the direction of dependencies
	cargo-deny --locked check --hide-inclusion-graph -A unused-wrapper bans licenses sources

# Not part of ci: their database changes every day, and a build must not turn red over night.
.PHONY: advisories
advisories: tools-deny ## Look for known vulnerabilities in what is compiled in (needs the network)
	cargo-deny --locked check advisories

# The history, because what was committed once is known, whatever is there now. Keys of tests that
# are no secrets are in .gitleaks.toml.
.PHONY: secret-scan
secret-scan: need-docker ## Look for secrets in all that was ever committed (needs Docker)
	docker run --rm --network none --volume "$(CURDIR):/src:ro" $(GITLEAKS) \
	    git --no-banner --redact --verbose /src

# cargo-cyclonedx writes beside each Cargo.toml of the workspace, and would change a stale Cargo.lock.
# Where the workspace was is nobody's business.
.PHONY: sbom
sbom: tools-sbom ## Write what each program consists of to target/sbom/, as CycloneDX
	@cargo fetch --locked --quiet; mkdir -p $(TARGET)/sbom; made=sbom-$$$$; \
	trap 'rm -f */"$$made".json' EXIT; trap 'exit 130' INT; trap 'exit 143' TERM; \
	cargo-cyclonedx cyclonedx --quiet --format json --spec-version 1.5 --override-filename "$$made"; \
	for program in $(IMAGES); do \
	    sed 's|path+file://$(CURDIR)/|path+file:///|g' "$$program/$$made.json" \
	        >$(TARGET)/sbom/$$program.cdx.json; \
	    echo "$(TARGET)/sbom/$$program.cdx.json"; \
	done

# The instrumented run is a full test run. Hundreds of tests of real programs share the machine in
# it, so one that fails is run once more, alone: failing twice fails it. The doc tests follow on the
# same compiled crates; stable Rust does not count their lines. Their profiles are of no use.
.PHONY: coverage
coverage: tools-test tools-coverage ## Run all tests and print the lines they reach
	export CARGO_LLVM_COV_TARGET_DIR=$(CI_TARGET) CARGO_INCREMENTAL=0; \
	    cargo llvm-cov clean --workspace; \
	    scripts/once-more.sh $(LLVM_COV_TESTS) --workspace; \
	    if [ "$$(id -u)" = 0 ]; then \
	        $(AS_ROOT) scripts/once-more.sh $(LLVM_COV_TESTS) $(ROOT_TESTS); fi; \
	    $(OVER_POSTGRES) scripts/once-more.sh $(LLVM_COV_TESTS) $(API_TESTS); \
	    cargo llvm-cov report --fail-under-lines $(COVERAGE_MIN_LINES_PERCENT)
	CARGO_TARGET_DIR=$(CI_TARGET) CARGO_INCREMENTAL=0 LLVM_PROFILE_FILE=/dev/null \
	    cargo test --locked --workspace --doc

# For a service that shows it; after `make coverage`, whose profiles it reads.
.PHONY: coverage-lcov
coverage-lcov: tools-coverage ## Write what coverage found to target/lcov.info
	CARGO_LLVM_COV_TARGET_DIR=$(CI_TARGET) cargo llvm-cov report --lcov \
	    --output-path $(TARGET)/lcov.info

# Long forms, and what only root may do: small disks of its own, process 1 of a container. They
# measure waits, so one at a time.
.PHONY: faults
faults: tools-test ## Break everything, in full: needs root and 20 minutes (ARGS="...")
	cargo test --locked -p sequencer --test faults -- --include-ignored --test-threads=1 $(ARGS)
	cargo build --locked -p sequencer -p sidecar
	cargo test --locked -p sidecar --tests -- --ignored --test-threads=1 $(ARGS)

# The server answers as its contract says, whatever it is sent: all checks of schemathesis.
.PHONY: api-fuzz
api-fuzz: tools-api-fuzz ## Test a fresh server against openapi.yaml with generated requests
	cargo build --locked -p sequencer
	scripts/api-fuzz.sh $(TARGET)/debug/sequencer

# What must be green before a change is merged. Cheap checks first. The tests run once, under
# coverage; the golden tests among them find stale generated files. Two compilations of the
# dependencies remain: full for the tests, metadata only for clippy and docs, which share it.
# api-fuzz comes last because it uses the instrumented program that coverage has built.
CI_STEPS := check-fmt deny lint-deploy helm-matrix clippy docs coverage api-fuzz

.PHONY: ci
ci: export CARGO_INCREMENTAL := 0
ci: tools ## Everything a change must pass: formatting, lints, licences, chart, docs, tests, coverage
	@times=; for step in $(CI_STEPS); do \
	    printf '\n==== %s\n' "$$step"; SECONDS=0; \
	    case $$step in \
	        api-fuzz) scripts/api-fuzz.sh $(CI_TARGET)/debug/sequencer ;; \
	        clippy|docs) CARGO_TARGET_DIR=$(CI_TARGET) $(MAKE) $$step ;; \
	        *) $(MAKE) $$step ;; \
	    esac || { printf '\nci: %s failed after %ss\n' "$$step" "$$SECONDS"; exit 1; }; \
	    times+=$$(printf '%6ss  %s' "$$SECONDS" "$$step")$$'\n'; \
	done; printf '\nci: all steps passed\n%s' "$$times"

## Deploy it

.PHONY: helm-matrix
helm-matrix: tools-deploy ## Lint and render the chart with many values, for several Kubernetes
	@scripts/helm-matrix.sh

.PHONY: lint-deploy
lint-deploy: tools-deploy ## Lint Dockerfile, compose files and workflows
	hadolint Dockerfile
	check-jsonschema --builtin-schema vendor.compose-spec compose.yaml compose.stack.yaml
	actionlint

.PHONY: helm-package
helm-package: tools-deploy ## Package the chart into target/
	@KUBECONFIG=/dev/null helm package helm --destination $(TARGET)

.PHONY: helm-push
helm-push: helm-package ## Push the packaged chart (REGISTRY=...)
	@test -n "$(REGISTRY)" || { echo 'say where: make helm-push REGISTRY=registry.example.com/events' >&2; exit 1; }
	helm push $(TARGET)/stateset-sequencer-$(VERSION).tgz oci://$(PREFIX)/charts

.PHONY: docker-build
docker-build: need-docker ## Build the images (REGISTRY=registry.example.com/events)
	@for image in $(IMAGES); do \
	    docker build --target $$image --tag $(call IMAGE,$$image) \
	        --build-arg VERSION=$(VERSION) \
	        --build-arg COMMIT="$$(git rev-parse --short HEAD 2>/dev/null || echo unknown)" .; \
	done

.PHONY: docker-push
docker-push: need-docker ## Push the images that docker-build made (REGISTRY=...)
	@for image in $(IMAGES); do docker push $(call IMAGE,$$image); done

.PHONY: docker-up
docker-up: need-docker ## Start two sequencers on PostgreSQL, watched, as containers; Linux only
	@scripts/compose-secrets.sh
	@$(COMPOSE) up --build --detach
	@echo 'status page http://127.0.0.1:9091/, Grafana http://127.0.0.1:3000/ (admin, data/compose/grafana.env)'

.PHONY: docker-load
docker-load: need-docker ## Run a load profile against them (PROFILE=smoke)
	@PROFILE=$(PROFILE) $(COMPOSE) --profile load run --build --rm loadgen

.PHONY: docker-down
docker-down: need-docker ## Stop them; their data stays (ARGS="--volumes" removes it)
	@$(COMPOSE) --profile load down $(ARGS)

## House-keeping

.PHONY: tools
tools: ## Install the missing development tools into .tools/ (WHAT="promtool llvm")
	@scripts/tools.sh $(WHAT)

.PHONY: clean
clean: ## Remove what was compiled; data/ and .tools/ stay
	cargo clean

# Names that other projects use for the same.
.PHONY: dev-build test-race test-coverage test-coverage-check install-tools deps docker
dev-build: build
test-coverage test-coverage-check: coverage
install-tools: tools
docker: docker-build
deps:
	cargo fetch --locked
# What several writers, readers and replicas do to each other at once.
test-race: tools-test
	$(RUN_ONLY)"api replicas" cargo test --locked --workspace --tests -- concurrent replicas

# Parts of the above, not listed by help.

.PHONY: check-fmt
check-fmt:
	cargo fmt --all --check

.PHONY: clippy
clippy:
	cargo clippy --locked --workspace --all-targets -- -D warnings

.PHONY: release-binary
release-binary:
	@cargo build --locked --release -p sequencer -p sidecar

.PHONY: tools-test
tools-test:
	@scripts/tools.sh promtool alertmanager postgresql libfaketime chromium grafana-schema \
	    check-jsonschema helm

.PHONY: tools-coverage
tools-coverage:
	@scripts/tools.sh llvm cargo-llvm-cov

.PHONY: tools-api-fuzz
tools-api-fuzz:
	@scripts/tools.sh schemathesis

# Tag, programs and chart have one version.
.PHONY: release-check
release-check:
	@for found in "$(TAG)" "v$$(sed -n 's/^version: //p' helm/Chart.yaml)" \
	    "v$$(sed -n 's/^appVersion: "\(.*\)"/\1/p' helm/Chart.yaml)"; do \
	    if [ "$$found" != "v$(VERSION)" ]; then \
	        echo "release: $$found is not v$(VERSION), the version in Cargo.toml" >&2; exit 1; \
	    fi; \
	done

# For a machine whose Rust is older than the one that is asked for; it becomes the default there.
.PHONY: toolchain
toolchain:
	rustup toolchain install $(RUST_VERSION) --profile minimal --no-self-update \
	    --component clippy,rustfmt,llvm-tools
	rustup default $(RUST_VERSION)

.PHONY: tools-deploy
tools-deploy:
	@scripts/tools.sh helm kubernetes-validate hadolint actionlint check-jsonschema

.PHONY: need-docker
need-docker:
	@docker version >/dev/null 2>&1 || { \
	    echo 'Docker does not answer: install an engine, and start it (https://docs.docker.com/engine/install/)' >&2; \
	    exit 1; }

.PHONY: tools-deny
tools-deny:
	@scripts/tools.sh cargo-deny

.PHONY: tools-sbom
tools-sbom:
	@scripts/tools.sh cargo-cyclonedx
