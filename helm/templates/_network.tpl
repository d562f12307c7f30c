{{/* Pieces of the NetworkPolicies. */}}

{{/* Who scrapes. */}}
{{- define "sequencer.scrapers" -}}
{{- if .Values.networkPolicy.metricsFrom -}}
{{- toYaml .Values.networkPolicy.metricsFrom -}}
{{- else -}}
- namespaceSelector: {}
  podSelector:
    matchLabels:
      app.kubernetes.io/name: prometheus
{{- end -}}
{{- end -}}

{{/* Pods of this release. Takes (list root component). */}}
{{- define "sequencer.peer" -}}
- podSelector:
    matchLabels: {{- include "sequencer.selector" . | nindent 6 }}
{{- end -}}

{{- define "sequencer.dnsEgress" -}}
- ports:
    - {port: 53, protocol: UDP}
    - {port: 53, protocol: TCP}
{{- end -}}

{{/* The port of a URL, or the default. Takes (list url default). */}}
{{- define "sequencer.urlPort" -}}
{{- $port := regexFind ":[0-9]+$" (get (urlParse (index . 0)) "host") | trimPrefix ":" -}}
{{- $port | default (index . 1) -}}
{{- end -}}
