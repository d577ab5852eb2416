{{/* The name of all that belongs to a release. */}}
{{- define "verdict.fullname" -}}
{{- if contains "verdict" .Release.Name -}}
{{- .Release.Name | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-verdict" (.Release.Name | trunc 44 | trimSuffix "-") -}}
{{- end -}}
{{- end -}}

{{- define "verdict.selectorLabels" -}}
app.kubernetes.io/name: verdict
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "verdict.labels" -}}
{{ include "verdict.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | quote }}
{{- end -}}

{{- define "verdict.image" -}}
{{- if .digest -}}
{{- printf "%s@%s" .repository .digest -}}
{{- else -}}
{{- printf "%s:%s" .repository (.tag | required "an image needs a tag or a digest") -}}
{{- end -}}
{{- end -}}

{{/* What Verdict reads as /etc/verdict/verdict.yaml: the values' config, and over it
what the chart mounts and opens. */}}
{{- define "verdict.config" -}}
{{- $callers := .Values.config.callers | default dict -}}
{{- $known := or $callers.tokens $callers.issuers (dig "certificates" "ca" "" $callers) -}}
{{- if not (or $known (dig "insecure" "anyone_beyond_loopback" false .Values.config)) -}}
{{- fail "config.callers: callers have to show who they are, so set tokens, issuers or certificates, and roles (docs/callers.md)" -}}
{{- end -}}
{{- $tenants := dict -}}
{{- range $name, $tenant := .Values.tenants -}}
{{- $bundle := dict "bundle" (printf "/etc/verdict/policies/%s" $name) -}}
{{- $_ := set $tenants $name (mergeOverwrite (deepCopy ($tenant.settings | default dict)) $bundle) -}}
{{- end -}}
{{- $own := dict
  "data" "/var/lib/verdict"
  "grpc" (dict "address" ":8181")
  "http" (dict "address" ":8182")
  "tls" (dict "cert" "/etc/verdict/tls/tls.crt" "key" "/etc/verdict/tls/tls.key")
  "tenants" $tenants -}}
{{- mergeOverwrite (deepCopy .Values.config) $own | toYaml -}}
{{- end -}}
