{{/*
Alerts and boards come from files/, which `make generate` writes: GENERATE.md describes the format.
An override of alerts.<Name> changes the rule and every board that shows it.
*/}}

{{/* All alerts with the overrides in them, by name, as JSON. */}}
{{- define "sequencer.alerts" -}}
{{- $known := dict -}}
{{- range (.Files.Get "files/alerts.json" | fromJson).groups -}}
{{- range .alerts }}{{ $_ := set $known .alert . }}{{ end -}}
{{- end -}}
{{- range $name, $change := .Values.alerts -}}
{{- if not (hasKey $known $name) -}}
{{- fail (printf "alerts.%s: there is no such alert; docs/monitoring.md lists them." $name) -}}
{{- end -}}
{{- $alert := get $known $name -}}
{{- range $key, $value := $change -}}
{{- if eq $key "threshold" -}}
{{- if not (hasKey $alert "threshold") -}}
{{- fail (printf "alerts.%s.threshold: it follows from the objective and cannot be changed." $name) -}}
{{- end -}}
{{- $_ := set $alert "threshold" $value -}}
{{- else if eq $key "labels" -}}
{{- range $label, $_ := $value -}}
{{- if has $label (list "alertname" "severity" "product") -}}
{{- fail (printf "alerts.%s.labels.%s: it is set by the chart." $name $label) -}}
{{- end -}}
{{- end -}}
{{- $_ := set $alert "labels" (merge (dict) $alert.labels $value) -}}
{{- else -}}
{{- $_ := set $alert $key $value -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- range (.Files.Get "files/alerts.json" | fromJson).ascending -}}
{{- $below := "" -}}
{{- range . -}}
{{- if $below -}}
{{- if gt (float64 (get $known $below).threshold) (float64 (get $known .).threshold) -}}
{{- fail (printf "alerts.%s.threshold has to be above that of %s: one panel shows both." . $below) -}}
{{- end -}}
{{- end -}}
{{- $below = . -}}
{{- end -}}
{{- end -}}
{{- toJson $known -}}
{{- end -}}

{{/* A threshold as people say it. Takes an alert. */}}
{{- define "sequencer.inWords" -}}
{{- $number := float64 .threshold -}}
{{- if eq .unit "ratio" -}}
{{- printf "%s %%" (include "sequencer.decimal" (mulf $number 100.0)) -}}
{{- else if and (eq .unit "seconds") (ge $number 86400.0) -}}
{{- printf "%s d" (include "sequencer.decimal" (divf $number 86400.0)) -}}
{{- else if eq .unit "seconds" -}}
{{- printf "%s s" (include "sequencer.decimal" $number) -}}
{{- else if eq .unit "bytes" -}}
{{- printf "%s MiB" (include "sequencer.decimal" (divf $number 1048576.0)) -}}
{{- else if eq .unit "per_second" -}}
{{- printf "%s /s" (include "sequencer.decimal" $number) -}}
{{- else -}}
{{- include "sequencer.decimal" $number -}}
{{- end -}}
{{- end -}}

{{/* A number without exponent and without zeros at its end. */}}
{{- define "sequencer.decimal" -}}
{{- regexReplaceAll "\\.?0+$" (printf "%.12f" .) "" -}}
{{- end -}}

{{/* What a panel says of an alert. Takes an alert. */}}
{{- define "sequencer.sentence" -}}
{{- $fires := .fires -}}
{{- if hasKey . "threshold" }}{{ $fires = printf "%s %s" .operator (include "sequencer.inWords" .) }}{{ end -}}
{{- $wait := printf "after %s" .for -}}
{{- if regexMatch "^0+[smhdw]$" .for }}{{ $wait = "at once" }}{{ end -}}
{{- printf "%s (%s): %s, fires %s%s: %s" .alert .severity $fires $wait (ternary "" "; off until it is enabled" .enabled) .summary -}}
{{- end -}}

{{/* A board as Grafana reads it. Takes (list root text alerts). */}}
{{- define "sequencer.board" -}}
{{- $root := index . 0 -}}
{{- $text := index . 1 -}}
{{- $alerts := index . 2 -}}
{{- $colours := dict "info" "blue" "warning" "orange" "critical" "red" -}}
{{- range uniq (regexFindAll "\"?@[a-z]+([+*][0-9.]+)?:[A-Za-z0-9]+@\"?" $text -1) -}}
{{- $token := trimAll "\"@" . -}}
{{- $what := index (splitList ":" $token) 0 -}}
{{- $alert := get $alerts (index (splitList ":" $token) 1) -}}
{{- if eq $what "threshold" -}}
{{- $text = replace . $alert.threshold $text -}}
{{- else if hasPrefix "threshold+" $what -}}
{{- $text = replace . (include "sequencer.decimal" (addf (float64 $alert.threshold) (float64 (trimPrefix "threshold+" $what)))) $text -}}
{{- else if hasPrefix "threshold*" $what -}}
{{- $text = replace . (include "sequencer.decimal" (mulf (float64 $alert.threshold) (float64 (trimPrefix "threshold*" $what)))) $text -}}
{{- else if eq $what "colour" -}}
{{- $text = replace (printf "@%s@" $token) (get $colours $alert.severity) $text -}}
{{- else if eq $what "alert" -}}
{{- $text = replace (printf "@%s@" $token) (include "sequencer.sentence" $alert) $text -}}
{{- end -}}
{{- end -}}
{{- $text = replace "@runbooks_url@" (trimSuffix "/" $root.Values.links.runbooksUrl) $text -}}
{{- $text = replace "@dashboards_url@" (trimSuffix "/" $root.Values.links.dashboardsUrl) $text -}}
{{- with regexFind "@[a-z]+([+*][0-9.]+)?(:[A-Za-z0-9]+)?@" $text }}{{ fail (printf "files/boards: %s is no known token." .) }}{{ end -}}
{{- $text -}}
{{- end -}}
