# One image for each program:
#
#   docker build --target sequencer --build-arg COMMIT="$(git rev-parse --short HEAD)" \
#     --tag stateset-sequencer:0.1.0 .
#
# Targets: sequencer, sidecar, loadgen, alerts, dashboards. Drills have none: they start databases
# and break disks, and belong on a machine of a developer.
# Both bases are the same Debian, so that a program meets the libc that it was built for. To move to
# newer ones, replace tag and digest together.
FROM rust:1.95.0-slim-bookworm@sha256:d7482085ff5b415f84dba5647ae71606650bdef00db7aeb69f4b3d170c3e4082 AS build
WORKDIR /src
# What a process says of itself in build_info.
ARG COMMIT=unknown
ENV GIT_COMMIT=$COMMIT CARGO_PROFILE_RELEASE_STRIP=debuginfo
COPY . .
# Compiled once for all targets; what was compiled stays in the builder's cache.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --locked --release -p sequencer -p sidecar -p loadgen -p alerts -p dashboards \
    && mkdir /out /empty \
    && cp target/release/sequencer target/release/sidecar target/release/loadgen \
        target/release/alerts target/release/dashboards /out/

# No shell, no package manager; libc, libgcc and certificates.
FROM gcr.io/distroless/cc-debian12:nonroot@sha256:9dac0a79194e45a7da0158a9c6da57b217585af0786db3845d1f0ec1a0dd182f AS base
ARG COMMIT=unknown
ARG VERSION=0.1.0
LABEL org.opencontainers.image.vendor="StateSet" \
    org.opencontainers.image.licenses="Apache-2.0 OR MIT" \
    org.opencontainers.image.version="$VERSION" \
    org.opencontainers.image.revision="$COMMIT" \
    org.opencontainers.image.base.name="gcr.io/distroless/cc-debian12:nonroot"
# The chart's user, by number: Kubernetes cannot see that a name is not root.
USER 1000:1000
# Programs handle signals as process 1: nothing is needed in front of them.
STOPSIGNAL SIGTERM

FROM base AS sequencer
LABEL org.opencontainers.image.title="stateset-sequencer" \
    org.opencontainers.image.description="An event sequencer with signed receipts and Merkle proofs"
COPY --from=build /out/sequencer /usr/local/bin/sequencer
# A new volume takes over the owner of the folder that it covers.
COPY --from=build --chown=1000:1000 /empty /data
EXPOSE 8080 8081
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s --retries=3 \
    CMD ["/usr/local/bin/sequencer", "--health"]
ENTRYPOINT ["/usr/local/bin/sequencer"]

FROM base AS sidecar
LABEL org.opencontainers.image.title="stateset-sidecar" \
    org.opencontainers.image.description="Watches a sequencer: checks, canary, witness, status page"
COPY --from=build /out/sidecar /usr/local/bin/sidecar
COPY --from=build --chown=1000:1000 /empty /state
COPY runbooks/pages /runbooks
ENV SIDECAR_STATE_DIR=/state RUNBOOKS_DIR=/runbooks
EXPOSE 9091
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s --retries=3 \
    CMD ["/usr/local/bin/sidecar", "--health"]
ENTRYPOINT ["/usr/local/bin/sidecar"]

FROM base AS loadgen
LABEL org.opencontainers.image.title="stateset-loadgen" \
    org.opencontainers.image.description="Generates load on a sequencer with an honest clock and a verdict"
COPY --from=build /out/loadgen /usr/local/bin/loadgen
COPY --from=build --chown=1000:1000 /empty /reports
WORKDIR /reports
EXPOSE 9092
ENTRYPOINT ["/usr/local/bin/loadgen"]

FROM base AS alerts
LABEL org.opencontainers.image.title="stateset-alerts" \
    org.opencontainers.image.description="Generates alert rules, and checks them against a Prometheus"
COPY --from=build /out/alerts /usr/local/bin/alerts
ENTRYPOINT ["/usr/local/bin/alerts"]

FROM base AS dashboards
LABEL org.opencontainers.image.title="stateset-dashboards" \
    org.opencontainers.image.description="Generates, imports and checks Grafana boards"
COPY --from=build /out/dashboards /usr/local/bin/dashboards
ENTRYPOINT ["/usr/local/bin/dashboards"]
