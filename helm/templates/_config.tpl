{{/* Settings of each process that are no secret, as variables. Numbers as integers: helm reads large
ones as floats. */}}

{{- define "sequencer.config" -}}
{{- $v := .Values -}}
# Pods listen on their own address; who reaches it is the NetworkPolicy's.
HOST: 0.0.0.0
PORT: {{ int $v.ports.api | quote }}
OPS_HOST: 0.0.0.0
OPS_PORT: {{ int $v.ports.operations | quote }}
{{- if not (include "sequencer.isPostgres" .) }}
DATA_DIR: /data
DATABASE_URL: sqlite:///data/sequencer.db
{{- end }}
DB_ALLOW_PLAINTEXT: {{ or $v.database.allowPlaintext $v.postgresql.enabled | quote }}
DB_MIGRATE_ON_STARTUP: {{ ternary "false" "true" (ne (include "sequencer.migrates" .) "") | quote }}
MAX_DB_CONNECTIONS: {{ int $v.database.maxConnections | quote }}
{{- if include "sequencer.isPostgres" . }}
MIN_DB_CONNECTIONS: {{ int $v.database.minIdleConnections | quote }}
{{- end }}
DB_ACQUIRE_TIMEOUT_MS: {{ int64 $v.database.acquireTimeoutMs | quote }}
DB_STATEMENT_TIMEOUT_MS: {{ int64 $v.database.statementTimeoutMs | quote }}
DB_IDLE_TIMEOUT_SECS: {{ int64 $v.database.idleTimeoutSecs | quote }}
DB_MAX_LIFETIME_SECS: {{ int64 $v.database.maxLifetimeSecs | quote }}
RATE_LIMIT_PER_MINUTE: {{ int64 $v.rateLimit.perMinute | quote }}
RATE_LIMIT_MAX_ENTRIES: {{ int64 $v.rateLimit.maxEntries | quote }}
CIRCUIT_BREAKER_FAILURE_THRESHOLD: {{ int $v.circuitBreaker.failureThreshold | quote }}
CIRCUIT_BREAKER_SUCCESS_THRESHOLD: {{ int $v.circuitBreaker.successThreshold | quote }}
CIRCUIT_BREAKER_SLOW_CALL_MS: {{ int64 $v.circuitBreaker.slowCallMs | quote }}
MIN_FREE_DISK_BYTES: {{ int64 $v.minFreeDiskBytes | quote }}
REQUIRE_PROOF_OF_POSSESSION: {{ $v.requireProofOfPossession | quote }}
REQUEST_TIMEOUT_SECS: {{ int $v.requestTimeoutSecs | quote }}
# The hook begins the drain; this is for a hook that could not, while the store is down.
DRAIN_DELAY_SECS: {{ int $v.drain.delaySeconds | quote }}
# A request that came at the end of the delay may take its whole time.
SHUTDOWN_TIMEOUT_SECS: {{ int $v.requestTimeoutSecs | quote }}
RUST_LOG: {{ $v.logLevel | quote }}
{{- with $v.sequencerId }}
VES_SEQUENCER_ID: {{ . | quote }}
{{- end }}
{{- with $v.tracing.endpoint }}
OTEL_EXPORTER_OTLP_ENDPOINT: {{ . | quote }}
OTEL_TRACES_SAMPLER_ARG: {{ $v.tracing.sampleRatio | quote }}
{{- end }}
{{- end -}}

{{/* What the sidecars of pods and the witness share. */}}
{{- define "sequencer.sidecarConfig" -}}
{{- $v := .Values -}}
SIDECAR_HOST: 0.0.0.0
SIDECAR_PORT: {{ int $v.ports.sidecar | quote }}
SIDECAR_STATE_DIR: /state
RUNBOOKS_DIR: /runbooks
CHECK_INTERVAL_SECS: {{ int $v.sidecar.checkIntervalSecs | quote }}
MIN_FREE_DISK_BYTES: {{ int64 $v.minFreeDiskBytes | quote }}
DB_ALLOW_PLAINTEXT: {{ or $v.database.allowPlaintext $v.postgresql.enabled | quote }}
WITNESS_AUDIT_EVENTS_PER_SECOND: {{ int64 $v.witness.auditEventsPerSecond | quote }}
WITNESS_CPU_CORES: {{ $v.witness.cpuCores | quote }}
RUST_LOG: {{ $v.logLevel | quote }}
{{- with $v.sidecar.allowedHosts }}
SIDECAR_ALLOWED_HOSTS: {{ join "," . | quote }}
{{- end }}
{{- with $v.sidecar.tlsCertificates }}
TLS_CERTIFICATES: {{ join "," . | quote }}
{{- end }}
{{- end -}}

{{/* Beside a sequencer. In sqlite mode it is the witness too. */}}
{{- define "sequencer.podSidecarConfig" -}}
{{- $isPostgres := include "sequencer.isPostgres" . -}}
{{ include "sequencer.sidecarConfig" . }}
SEQUENCER_URL: http://127.0.0.1:{{ int .Values.ports.api }}
SEQUENCER_OPS_URL: http://127.0.0.1:{{ int .Values.ports.operations }}
CANARY: {{ .Values.sidecar.canary | quote }}
{{- if $isPostgres }}
WITNESS: "false"
{{- else }}
WITNESS: {{ .Values.witness.enabled | quote }}
DATA_DIR: /data
DATABASE_URL: sqlite:///data/sequencer.db
{{- end }}
{{- end -}}

{{/* The witness of replicas: it asks them through their Service. */}}
{{- define "sequencer.witnessConfig" -}}
{{- $name := include "sequencer.name" . -}}
{{ include "sequencer.sidecarConfig" . }}
SEQUENCER_URL: http://{{ $name }}:{{ int .Values.service.port }}
SEQUENCER_OPS_URL: http://{{ $name }}-metrics:{{ int .Values.ports.operations }}
CANARY: "false"
WITNESS: "true"
{{- end -}}
