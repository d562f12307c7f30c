{{/* Names and labels. */}}

{{- define "sequencer.name" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains "sequencer" .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-sequencer" (.Release.Name | trunc 30 | trimSuffix "-") -}}
{{- end -}}
{{- end -}}

{{/* What a selector may hold: it never changes. Takes (list root component). */}}
{{- define "sequencer.selector" -}}
app.kubernetes.io/name: stateset-sequencer
app.kubernetes.io/instance: {{ (index . 0).Release.Name | quote }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{/* Takes (list root component), and further labels as a third. The chart's own come first: the
others may not take an object from the Services that select it. */}}
{{- define "sequencer.labels" -}}
{{- $root := index . 0 -}}
{{- $further := dict -}}
{{- if gt (len .) 2 -}}
{{- $further = index . 2 | default dict -}}
{{- end -}}
{{- $own := dict
  "helm.sh/chart" (printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_")
  "app.kubernetes.io/version" $root.Chart.AppVersion
  "app.kubernetes.io/part-of" "stateset-sequencer"
  "app.kubernetes.io/managed-by" $root.Release.Service -}}
{{- merge $own (include "sequencer.selector" . | fromYaml) $further ($root.Values.commonLabels | default dict) | toYaml -}}
{{- end -}}

{{- define "sequencer.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- .Values.serviceAccount.name | default (include "sequencer.name" .) -}}
{{- else -}}
{{- .Values.serviceAccount.name | default "default" -}}
{{- end -}}
{{- end -}}

{{/* Takes (list root program). */}}
{{- define "sequencer.image" -}}
{{- $root := index . 0 -}}
{{- $image := index $root.Values.image (index . 1) -}}
{{- $name := $image.repository -}}
{{- with $root.Values.image.registry }}{{ $name = printf "%s/%s" . $name }}{{ end -}}
{{- if $image.digest -}}
{{- printf "%s@%s" $name $image.digest -}}
{{- else -}}
{{- printf "%s:%s" $name ($root.Values.image.tag | default $root.Chart.AppVersion) -}}
{{- end -}}
{{- end -}}

{{/* "true" or nothing. Takes (list root setting kind). */}}
{{- define "sequencer.auto" -}}
{{- $known := (index . 0).Capabilities.APIVersions -}}
{{- $setting := toString (index . 1) -}}
{{- $kind := printf "monitoring.coreos.com/v1/%s" (index . 2) -}}
{{- if eq $setting "auto" -}}
{{- if or ($known.Has $kind) ($known.Has "monitoring.coreos.com/v1") }}true{{ end -}}
{{- else if eq $setting "true" -}}true{{- end -}}
{{- end -}}

{{/* Native sidecars are on by default from 1.29; "-0" admits 1.29.0-gke and its like. */}}
{{- define "sequencer.nativeSidecar" -}}
{{- $setting := toString .Values.sidecar.native -}}
{{- if eq $setting "auto" -}}
{{- if semverCompare ">=1.29-0" .Capabilities.KubeVersion.Version }}true{{ end -}}
{{- else if eq $setting "true" -}}true{{- end -}}
{{- end -}}

{{/* Seconds until a pod is killed: the delay, the longest request, and some. */}}
{{- define "sequencer.grace" -}}
{{- add (int .Values.drain.delaySeconds) (int .Values.requestTimeoutSecs) 15 -}}
{{- end -}}

{{- define "sequencer.podSecurity" -}}
runAsNonRoot: true
runAsUser: 1000
runAsGroup: 1000
fsGroup: 1000
# A large volume is not walked at every start.
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "sequencer.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}
