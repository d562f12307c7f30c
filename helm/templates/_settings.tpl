{{/* What follows from the values: the mode, the secrets, and what contradicts itself. */}}

{{/* The value of an env[] entry, or nothing. Takes (list root name). */}}
{{- define "sequencer.given" -}}
{{- $name := index . 1 -}}
{{- range (index . 0).Values.env -}}
{{- if eq .name $name }}{{ .value | default "" }}{{ end -}}
{{- end -}}
{{- end -}}

{{/* The database's URL as far as the chart sees it. */}}
{{- define "sequencer.databaseUrl" -}}
{{- $given := include "sequencer.given" (list . "DATABASE_URL") -}}
{{- if .Values.postgresql.enabled -}}
{{- printf "postgres://sequencer:%s@%s-postgresql:5432/sequencer?sslmode=disable" .Values.postgresql.password (include "sequencer.name" .) -}}
{{- else -}}
{{- .Values.database.url | default $given -}}
{{- end -}}
{{- end -}}

{{- define "sequencer.isPostgresUrl" -}}
{{- if regexMatch "^postgres(ql)?://" . }}true{{ end -}}
{{- end -}}

{{- define "sequencer.mode" -}}
{{- if .Values.store.mode -}}
{{- .Values.store.mode -}}
{{- else if include "sequencer.isPostgresUrl" (include "sequencer.databaseUrl" .) -}}
postgres
{{- else -}}
sqlite
{{- end -}}
{{- end -}}

{{- define "sequencer.isPostgres" -}}
{{- if eq (include "sequencer.mode" .) "postgres" }}true{{ end -}}
{{- end -}}

{{/* Sequencers that are there at least. */}}
{{- define "sequencer.replicas" -}}
{{- if .Values.autoscaling.enabled }}{{ int .Values.autoscaling.minReplicas }}{{ else }}{{ int .Values.replicaCount }}{{ end -}}
{{- end -}}

{{/* A Job before an install or upgrade; the bundled server is not there yet before an install. */}}
{{- define "sequencer.migrates" -}}
{{- if and (include "sequencer.isPostgres" .) .Values.migration.job (not .Values.postgresql.enabled) }}true{{ end -}}
{{- end -}}

{{- define "sequencer.secretName" -}}
{{- .Values.secrets.existingSecret | default (include "sequencer.name" .) -}}
{{- end -}}

{{/*
The texts of the Secret, as YAML. Nothing is random: the same values give the same manifest. What is
not given follows from the platform key, so that whoever has that key has them all: for trials.
*/}}
{{- define "sequencer.secrets" -}}
{{- $admin := .Values.secrets.bootstrapAdminApiKey | default (include "sequencer.given" (list . "BOOTSTRAP_ADMIN_API_KEY")) -}}
{{- $sidecar := .Values.secrets.bootstrapSidecarApiKey | default (include "sequencer.given" (list . "BOOTSTRAP_SIDECAR_API_KEY")) -}}
{{- $seed := .Values.secrets.signingKey | default (include "sequencer.given" (list . "VES_SEQUENCER_SIGNING_KEY")) -}}
{{- $headers := include "sequencer.given" (list . "OTEL_EXPORTER_OTLP_HEADERS") -}}
{{- $from := printf "%s/%s/%s" .Release.Namespace .Release.Name $admin -}}
BOOTSTRAP_ADMIN_API_KEY: {{ $admin | quote }}
BOOTSTRAP_SIDECAR_API_KEY: {{ $sidecar | default (printf "ss_%s" (sha256sum (printf "sidecar/%s" $from))) | quote }}
VES_SEQUENCER_SIGNING_KEY: {{ $seed | default (sha256sum (printf "receipts/%s" $from)) | quote }}
SIDECAR_TOKEN: {{ .Values.secrets.sidecarToken | default (sha256sum (printf "status/%s" $from) | trunc 32) | quote }}
{{- if include "sequencer.isPostgres" . }}
DATABASE_URL: {{ include "sequencer.databaseUrl" . | quote }}
{{- with .Values.secrets.sidecarDatabaseUrl }}
SIDECAR_DATABASE_URL: {{ . | quote }}
{{- end }}
{{- end }}
{{- with $headers }}
OTEL_EXPORTER_OTLP_HEADERS: {{ . | quote }}
{{- end }}
{{- end -}}

{{/* One variable from the Secret. Takes (list root variable key-in-existing key-in-ours). */}}
{{- define "sequencer.fromSecret" -}}
{{- $root := index . 0 -}}
- name: {{ index . 1 }}
  valueFrom:
    secretKeyRef:
      name: {{ include "sequencer.secretName" $root }}
      key: {{ ternary (index . 2) (index . 3) (ne $root.Values.secrets.existingSecret "") }}
{{- end -}}

{{/* The database's URL for sidecar and witness, by their own role where there is one. */}}
{{- define "sequencer.sidecarDatabaseUrl" -}}
{{- $keys := .Values.secrets.keys -}}
{{- $ours := ternary "SIDECAR_DATABASE_URL" "DATABASE_URL" (ne .Values.secrets.sidecarDatabaseUrl "") -}}
{{- include "sequencer.fromSecret" (list . "DATABASE_URL" ($keys.sidecarDatabaseUrl | default $keys.databaseUrl) $ours) -}}
{{- end -}}

{{/* env[] without what went into the Secret. */}}
{{- define "sequencer.plainEnv" -}}
{{- $secret := list "DATABASE_URL" "BOOTSTRAP_ADMIN_API_KEY" "BOOTSTRAP_SIDECAR_API_KEY" "VES_SEQUENCER_SIGNING_KEY" "OTEL_EXPORTER_OTLP_HEADERS" -}}
{{- $plain := list -}}
{{- range .Values.env -}}
{{- if not (has .name $secret) }}{{ $plain = append $plain . }}{{ end -}}
{{- end -}}
{{- if $plain }}{{ toYaml $plain }}{{ end -}}
{{- end -}}

{{/* One sentence for what contradicts itself; included once. */}}
{{- define "sequencer.validate" -}}
{{- $v := .Values -}}
{{- $url := include "sequencer.databaseUrl" . -}}
{{- $given := include "sequencer.given" (list . "DATABASE_URL") -}}
{{- $isPostgres := include "sequencer.isPostgres" . -}}
{{- $ownPostgres := or $v.database.url (include "sequencer.isPostgresUrl" $given) -}}
{{- if and $v.database.url $given (ne $v.database.url $given) -}}
{{- fail "database.url and DATABASE_URL in env[] differ: set one of them." -}}
{{- end -}}
{{- if and $v.postgresql.enabled (or $ownPostgres (eq $v.store.mode "sqlite")) -}}
{{- fail "postgresql.enabled brings a database: leave database.url and DATABASE_URL unset, and store.mode unset or postgres." -}}
{{- end -}}
{{- if and $v.postgresql.enabled (not $v.postgresql.password) -}}
{{- fail "postgresql.enabled needs postgresql.password." -}}
{{- end -}}
{{- if and $v.postgresql.enabled $v.secrets.existingSecret -}}
{{- fail "postgresql.enabled is for trials and makes its own Secret: unset secrets.existingSecret, or bring a database." -}}
{{- end -}}
{{- if and (not $isPostgres) (include "sequencer.isPostgresUrl" $url) -}}
{{- fail "store.mode is sqlite and the database's URL is a PostgreSQL's: unset one of them." -}}
{{- end -}}
{{- if and $given (not (include "sequencer.isPostgresUrl" $given)) -}}
{{- fail "DATABASE_URL in env[] has to begin with postgres://; without it, the store is SQLite on the pod's volume." -}}
{{- end -}}
{{- if and $isPostgres (not $url) (not $v.secrets.existingSecret) -}}
{{- fail "store.mode is postgres: set database.url, secrets.existingSecret or postgresql.enabled." -}}
{{- end -}}
{{- if and $v.secrets.existingSecret (not $v.store.mode) -}}
{{- fail "secrets.existingSecret: the chart cannot see whether it holds a database's URL; set store.mode to sqlite or postgres." -}}
{{- end -}}
{{- if and (not $isPostgres) $v.autoscaling.enabled -}}
{{- fail "autoscaling.enabled: one process owns a SQLite store, so it cannot be scaled; set store.mode: postgres, or autoscaling.enabled: false." -}}
{{- end -}}
{{- if and (not $isPostgres) (gt (int $v.replicaCount) 1) -}}
{{- fail (printf "replicaCount is %d: one process owns a SQLite store, so there is one replica; set store.mode: postgres, or replicaCount: 1." (int $v.replicaCount)) -}}
{{- end -}}
{{- if gt (int $v.autoscaling.minReplicas) (int $v.autoscaling.maxReplicas) -}}
{{- fail "autoscaling.minReplicas is above autoscaling.maxReplicas." -}}
{{- end -}}
{{- if gt (int $v.database.minIdleConnections) (int $v.database.maxConnections) -}}
{{- fail "database.minIdleConnections is above database.maxConnections." -}}
{{- end -}}
{{- if and $v.secrets.existingSecret (or $v.secrets.bootstrapAdminApiKey $v.secrets.bootstrapSidecarApiKey $v.secrets.signingKey $v.secrets.sidecarToken $v.secrets.sidecarDatabaseUrl $v.database.url) -}}
{{- fail "secrets.existingSecret names a Secret of yours: leave the other texts of secrets and database.url unset." -}}
{{- end -}}
{{- range $name := list "DATABASE_URL" "BOOTSTRAP_ADMIN_API_KEY" "BOOTSTRAP_SIDECAR_API_KEY" "VES_SEQUENCER_SIGNING_KEY" "OTEL_EXPORTER_OTLP_HEADERS" -}}
{{- range $v.env -}}
{{- if and (eq .name $name) .valueFrom -}}
{{- fail (printf "env[]: %s is taken from a Secret by secrets.existingSecret and secrets.keys, not by valueFrom." $name) -}}
{{- end -}}
{{- if and (eq .name $name) $v.secrets.existingSecret -}}
{{- fail (printf "env[]: %s belongs into the Secret that secrets.existingSecret names." $name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if and (not $v.secrets.existingSecret) (not $v.secrets.bootstrapAdminApiKey) (not (include "sequencer.given" (list . "BOOTSTRAP_ADMIN_API_KEY"))) -}}
{{- fail "There is no platform key: set secrets.existingSecret, secrets.bootstrapAdminApiKey, or BOOTSTRAP_ADMIN_API_KEY in env[]." -}}
{{- end -}}
{{- if not $v.secrets.existingSecret -}}
{{- $texts := include "sequencer.secrets" . | fromYaml -}}
{{- range $key := list "BOOTSTRAP_ADMIN_API_KEY" "BOOTSTRAP_SIDECAR_API_KEY" -}}
{{- if not (regexMatch "^ss_[A-Za-z0-9_-]{32,}$" (get $texts $key)) -}}
{{- fail (printf "%s has to be ss_ and at least 32 of A-Z a-z 0-9 _ -, as in: echo ss_$(openssl rand -hex 24)" $key) -}}
{{- end -}}
{{- end -}}
{{- if eq $texts.BOOTSTRAP_ADMIN_API_KEY $texts.BOOTSTRAP_SIDECAR_API_KEY -}}
{{- fail "The sidecar's API key has to differ from the platform key: it may do less." -}}
{{- end -}}
{{- if and (hasPrefix "ss_development_only_" $texts.BOOTSTRAP_ADMIN_API_KEY) (or $v.ingress.enabled (ne $v.service.type "ClusterIP") (include "sequencer.given" (list . "DATABASE_URL")) $v.database.url) -}}
{{- fail "The platform key of dev-values.yaml is one that everybody knows: set another before the API is reached from outside the cluster, or keeps its log in a database of yours." -}}
{{- end -}}
{{- if not (regexMatch "^([0-9a-fA-F]{64}|[A-Za-z0-9+/_-]{43}=?)$" $texts.VES_SEQUENCER_SIGNING_KEY) -}}
{{- fail "VES_SEQUENCER_SIGNING_KEY, secrets.signingKey, has to be 32 bytes as 64 hex digits, as in: openssl rand -hex 32" -}}
{{- end -}}
{{- if lt (len $texts.SIDECAR_TOKEN) 16 -}}
{{- fail "secrets.sidecarToken has to have at least 16 characters, as in: openssl rand -hex 24" -}}
{{- end -}}
{{- end -}}
{{- if eq $v.image.tag "latest" -}}
{{- fail "image.tag: latest names no version; name one, or leave it unset." -}}
{{- end -}}
{{- if and $v.postgresql.enabled (hasSuffix ":latest" $v.postgresql.image) -}}
{{- fail "postgresql.image: latest names no version; name one." -}}
{{- end -}}
{{- $seen := dict -}}
{{- $owned := dict "HOST" "nothing: pods listen on all addresses" "OPS_HOST" "nothing: pods listen on all addresses" "PORT" "ports.api" "OPS_PORT" "ports.operations" "DATA_DIR" "nothing: the folder is the volume's" "REQUEST_TIMEOUT_SECS" "requestTimeoutSecs" "DRAIN_DELAY_SECS" "drain.delaySeconds" "SHUTDOWN_TIMEOUT_SECS" "requestTimeoutSecs" "MIN_FREE_DISK_BYTES" "minFreeDiskBytes" "DB_ALLOW_PLAINTEXT" "database.allowPlaintext" "DB_MIGRATE_ON_STARTUP" "migration.job" -}}
{{- range $v.env -}}
{{- if hasKey $owned .name -}}
{{- fail (printf "env[]: %s is set by the chart, because more than one object needs it; it follows from %s." .name (get $owned .name)) -}}
{{- end -}}
{{- if hasKey $seen .name -}}
{{- fail (printf "env[]: %s is there twice." .name) -}}
{{- end -}}
{{- $_ := set $seen .name true -}}
{{- end -}}
{{- $ports := list (int $v.ports.api) (int $v.ports.operations) (int $v.ports.sidecar) -}}
{{- if ne (len (uniq $ports)) 3 -}}
{{- fail "ports.api, ports.operations and ports.sidecar have to differ." -}}
{{- end -}}
{{- if and $v.ingress.enabled (not $v.ingress.hosts) -}}
{{- fail "ingress.enabled needs ingress.hosts." -}}
{{- end -}}
{{- end -}}
