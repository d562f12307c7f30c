{{/* The pod of a sequencer and its sidecar: the same in both modes but for volumes and spread. */}}

{{- define "sequencer.pod" -}}
{{- $v := .Values -}}
{{- $isPostgres := include "sequencer.isPostgres" . -}}
metadata:
  labels: {{- include "sequencer.labels" (list . "sequencer" $v.podLabels) | nindent 4 }}
  annotations:
    kubectl.kubernetes.io/default-container: sequencer
    # Everything is read once, at start: a change is a new pod.
    checksum/config: {{ include "sequencer.config" . | sha256sum }}
    {{- if $v.sidecar.enabled }}
    checksum/sidecar: {{ include "sequencer.podSidecarConfig" . | sha256sum }}
    {{- end }}
    {{- if not $v.secrets.existingSecret }}
    checksum/secret: {{ include "sequencer.secrets" . | sha256sum }}
    {{- end }}
    {{- with $v.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  serviceAccountName: {{ include "sequencer.serviceAccount" . }}
  automountServiceAccountToken: false
  # Variables of Services would be read as settings: a Service `sidecar` makes SIDECAR_PORT.
  enableServiceLinks: false
  # The sidecar reads the sequencer's figures from /proc; both have one user.
  shareProcessNamespace: {{ $v.sidecar.enabled }}
  terminationGracePeriodSeconds: {{ include "sequencer.grace" . }}
  securityContext: {{- include "sequencer.podSecurity" . | nindent 4 }}
  {{- with include "sequencer.placement" . }}
  {{- . | nindent 2 }}
  {{- end }}
  {{- if $v.affinity }}
  affinity: {{- toYaml $v.affinity | nindent 4 }}
  {{- else if $isPostgres }}
  affinity:
    podAntiAffinity:
      preferredDuringSchedulingIgnoredDuringExecution:
        - weight: 100
          podAffinityTerm:
            topologyKey: kubernetes.io/hostname
            labelSelector:
              matchLabels: {{- include "sequencer.selector" (list . "sequencer") | nindent 16 }}
  {{- end }}
  {{- if $v.topologySpreadConstraints }}
  topologySpreadConstraints: {{- toYaml $v.topologySpreadConstraints | nindent 4 }}
  {{- else if $isPostgres }}
  topologySpreadConstraints:
    {{- range list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
    - maxSkew: 1
      topologyKey: {{ . }}
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels: {{- include "sequencer.selector" (list $ "sequencer") | nindent 10 }}
      # Only pods of one version are spread: the old ones are about to go.
      matchLabelKeys: [pod-template-hash]
    {{- end }}
  {{- end }}
  {{- $native := include "sequencer.nativeSidecar" . }}
  {{- if and $v.sidecar.enabled $native }}
  initContainers: {{- include "sequencer.sidecarContainer" . | nindent 4 }}
  {{- end }}
  containers:
    {{- include "sequencer.container" . | nindent 4 }}
    {{- if and $v.sidecar.enabled (not $native) }}
    {{- include "sequencer.sidecarContainer" . | nindent 4 }}
    {{- end }}
  volumes:
    {{- if $isPostgres }}
    - name: sidecar-state
      emptyDir: {}
    {{- end }}
    - name: tmp
      emptyDir: {}
    {{- with $v.sidecar.runbooksConfigMap }}
    - name: runbooks
      configMap:
        name: {{ . }}
    {{- end }}
    {{- with $v.extraVolumes }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end -}}

{{/* Where any pod of the release may run. */}}
{{- define "sequencer.placement" -}}
{{- with .Values.image.pullSecrets -}}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "sequencer.container" -}}
{{- $v := .Values -}}
{{- $keys := $v.secrets.keys -}}
- name: sequencer
  image: {{ include "sequencer.image" (list . "sequencer") }}
  imagePullPolicy: {{ $v.image.pullPolicy }}
  command: [/usr/local/bin/sequencer]
  ports:
    - name: api
      containerPort: {{ int $v.ports.api }}
    - name: operations
      containerPort: {{ int $v.ports.operations }}
  envFrom:
    - configMapRef:
        name: {{ include "sequencer.name" . }}
  env:
    {{- include "sequencer.fromSecret" (list . "BOOTSTRAP_ADMIN_API_KEY" $keys.bootstrapAdminApiKey "BOOTSTRAP_ADMIN_API_KEY") | nindent 4 }}
    {{- include "sequencer.fromSecret" (list . "BOOTSTRAP_SIDECAR_API_KEY" $keys.bootstrapSidecarApiKey "BOOTSTRAP_SIDECAR_API_KEY") | nindent 4 }}
    {{- include "sequencer.fromSecret" (list . "VES_SEQUENCER_SIGNING_KEY" $keys.signingKey "VES_SEQUENCER_SIGNING_KEY") | nindent 4 }}
    {{- if include "sequencer.isPostgres" . }}
    {{- include "sequencer.fromSecret" (list . "DATABASE_URL" $keys.databaseUrl "DATABASE_URL") | nindent 4 }}
    {{- end }}
    {{- if or (and $v.secrets.existingSecret $keys.otlpHeaders) (include "sequencer.given" (list . "OTEL_EXPORTER_OTLP_HEADERS")) }}
    {{- include "sequencer.fromSecret" (list . "OTEL_EXPORTER_OTLP_HEADERS" $keys.otlpHeaders "OTEL_EXPORTER_OTLP_HEADERS") | nindent 4 }}
    {{- end }}
    {{- with include "sequencer.plainEnv" . }}
    {{- . | nindent 4 }}
    {{- end }}
  startupProbe:
    httpGet: {path: /health, port: api}
    periodSeconds: 5
    failureThreshold: 12
  livenessProbe:
    httpGet: {path: /health, port: api}
    periodSeconds: 10
    timeoutSeconds: 2
    failureThreshold: 3
  readinessProbe:
    httpGet: {path: /ready, port: api}
    periodSeconds: 5
    timeoutSeconds: 2
    failureThreshold: 2
  lifecycle:
    preStop:
      exec:
        command: [/usr/local/bin/sequencer, drain, --delay, {{ int $v.drain.delaySeconds }}s]
  resources: {{- toYaml $v.resources | nindent 4 }}
  securityContext: {{- include "sequencer.containerSecurity" . | nindent 4 }}
  volumeMounts:
    {{- if not (include "sequencer.isPostgres" .) }}
    - name: data
      mountPath: /data
    {{- end }}
    - name: tmp
      mountPath: /tmp
    {{- with $v.extraVolumeMounts }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end -}}

{{/* It has a liveness probe only: its readiness would count for the pod, and the sequencer would wait
for its start. */}}
{{- define "sequencer.sidecarContainer" -}}
{{- $v := .Values -}}
- name: sidecar
  image: {{ include "sequencer.image" (list . "sidecar") }}
  imagePullPolicy: {{ $v.image.pullPolicy }}
  command: [/usr/local/bin/sidecar]
  {{- if include "sequencer.nativeSidecar" . }}
  restartPolicy: Always
  {{- end }}
  ports:
    - name: sidecar
      containerPort: {{ int $v.ports.sidecar }}
  envFrom:
    - configMapRef:
        name: {{ include "sequencer.name" . }}-sidecar
  env:
    {{- include "sequencer.sidecarSecrets" . | nindent 4 }}
    {{- if include "sequencer.isPostgres" . }}
    {{- include "sequencer.sidecarDatabaseUrl" . | nindent 4 }}
    {{- end }}
    {{- with $v.sidecar.env }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- include "sequencer.sidecarLiveness" . | nindent 2 }}
  resources: {{- toYaml $v.sidecar.resources | nindent 4 }}
  securityContext: {{- include "sequencer.containerSecurity" . | nindent 4 }}
  volumeMounts:
    {{- if not (include "sequencer.isPostgres" .) }}
    - name: data
      mountPath: /data
    {{- end }}
    {{- include "sequencer.sidecarMounts" . | nindent 4 }}
{{- end -}}

{{- define "sequencer.sidecarSecrets" -}}
{{- include "sequencer.fromSecret" (list . "SEQUENCER_API_KEY" .Values.secrets.keys.bootstrapSidecarApiKey "BOOTSTRAP_SIDECAR_API_KEY") }}
{{ include "sequencer.fromSecret" (list . "SIDECAR_TOKEN" .Values.secrets.keys.sidecarToken "SIDECAR_TOKEN") }}
{{- end -}}

{{- define "sequencer.sidecarLiveness" -}}
livenessProbe:
  httpGet: {path: /health, port: sidecar}
  initialDelaySeconds: 10
  periodSeconds: 10
  timeoutSeconds: 2
  failureThreshold: 3
{{- end -}}

{{- define "sequencer.sidecarMounts" -}}
- name: sidecar-state
  mountPath: /state
- name: tmp
  mountPath: /tmp
{{- if .Values.sidecar.runbooksConfigMap }}
- name: runbooks
  mountPath: /runbooks
  readOnly: true
{{- end }}
{{- with .Values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* A claim of a StatefulSet. It has no labels, which could never be changed. Takes (list name
settings). */}}
{{- define "sequencer.claim" -}}
- metadata:
    name: {{ index . 0 }}
  spec:
    accessModes: [ReadWriteOnce]
    {{- with (index . 1).storageClass }}
    storageClassName: {{ . }}
    {{- end }}
    resources:
      requests:
        storage: {{ (index . 1).size }}
{{- end -}}
