{{/*
What a chart puts into its pod to have Verdict beside its application. Each takes the
chart's own root, as in include "verdict-sidecar.volumes" $, and reads its values below
verdict-sidecar.

The containers run as the pod's user, as its security context names it, and so does the
application: the sockets are that user's, and nobody else opens them.
*/}}

{{/* For the pod's initContainers: the directory is loaded, and then the server runs
beside all that follows, which waits until it is ready. */}}
{{- define "verdict-sidecar.initContainers" -}}
{{- $values := index .Values "verdict-sidecar" -}}
- name: verdict-import
  {{- include "verdict-sidecar.container" . | nindent 2 }}
  # All of the file, or nothing, in which case the pod does not start.
  args: [import, --data, /var/lib/verdict, /etc/verdict/directory/{{ $values.directory.file }}]
  volumeMounts:
    - name: verdict-data
      mountPath: /var/lib/verdict
    - name: {{ $values.directory.volume }}
      mountPath: /etc/verdict/directory
      readOnly: true
- name: verdict
  {{- include "verdict-sidecar.container" . | nindent 2 }}
  # It starts before the application and ends after it.
  restartPolicy: Always
  args: [serve, --config, /etc/verdict/verdict.yaml]
  # There is no port that the kubelet could ask at: the program asks itself.
  startupProbe:
    exec:
      command: [/verdict, status, --server, "unix:///run/verdict/grpc.sock", --timeout, 5s]
    periodSeconds: 1
    timeoutSeconds: 6
    failureThreshold: 120
  readinessProbe:
    exec:
      command: [/verdict, status, --server, "unix:///run/verdict/grpc.sock", --timeout, 5s]
    periodSeconds: 10
    timeoutSeconds: 6
  volumeMounts:
    - name: verdict-data
      mountPath: /var/lib/verdict
    - name: verdict-sockets
      mountPath: /run/verdict
    - name: verdict-config
      mountPath: /etc/verdict/verdict.yaml
      subPath: verdict.yaml
      readOnly: true
    - name: verdict-bundle
      mountPath: /etc/verdict/bundle
      readOnly: true
{{- end -}}

{{/* What both containers have in common. */}}
{{- define "verdict-sidecar.container" -}}
{{- $values := index .Values "verdict-sidecar" -}}
{{- $chart := (index .Subcharts "verdict-sidecar").Chart -}}
{{- $image := $values.image -}}
{{- if $image.digest -}}
image: {{ printf "%s@%s" $image.repository $image.digest | quote }}
{{- else -}}
image: {{ printf "%s:%s" $image.repository ($image.tag | default $chart.AppVersion) | quote }}
{{- end }}
imagePullPolicy: {{ $image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  runAsNonRoot: true
  capabilities:
    drop: [ALL]
{{- with $values.resources }}
resources:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* For the pod's volumes. */}}
{{- define "verdict-sidecar.volumes" -}}
{{- $values := index .Values "verdict-sidecar" -}}
- name: verdict-data
  emptyDir:
    sizeLimit: {{ $values.storeLimit }}
- name: verdict-sockets
  emptyDir:
    medium: Memory
    sizeLimit: 1Mi
- name: verdict-config
  configMap:
    name: {{ include "verdict-sidecar.configMapName" . }}
- name: verdict-bundle
  configMap:
    name: {{ $values.bundle }}
{{- end -}}

{{/* For the application's volumeMounts: gRPC at unix:///run/verdict/grpc.sock, HTTP at
/run/verdict/http.sock. */}}
{{- define "verdict-sidecar.volumeMounts" -}}
- name: verdict-sockets
  mountPath: /run/verdict
  readOnly: true
{{- end -}}

{{/* For the pod's annotations: settings are read at the start, so that a change to them
has to start the pod anew. */}}
{{- define "verdict-sidecar.annotations" -}}
checksum/verdict: {{ include "verdict-sidecar.config" . | sha256sum }}
{{- end -}}

{{- define "verdict-sidecar.configMapName" -}}
{{- printf "%s-verdict" (.Release.Name | trunc 44 | trimSuffix "-") -}}
{{- end -}}

{{- define "verdict-sidecar.config" -}}
{{- $values := index .Values "verdict-sidecar" -}}
{{- $own := dict
  "data" "/var/lib/verdict"
  "grpc" (dict "address" "unix:///run/verdict/grpc.sock")
  "http" (dict "address" "unix:///run/verdict/http.sock")
  "tenants" (dict "default" (dict "bundle" "/etc/verdict/bundle" "skip_tests" $values.skipTests)) -}}
{{- mergeOverwrite (deepCopy $values.config) $own | toYaml -}}
{{- end -}}

{{/* A manifest of its own: the settings. */}}
{{- define "verdict-sidecar.configMap" -}}
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ include "verdict-sidecar.configMapName" . }}
data:
  verdict.yaml: |
    {{- include "verdict-sidecar.config" . | nindent 4 }}
{{- end -}}
