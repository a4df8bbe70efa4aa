{{/* Names and labels. Owns nothing else. */}}
{{/* 55 characters, because a Service may have 63 and the longest ending is `-metrics`. */}}
{{- define "execwire.fullname" -}}
{{- if .Values.fullnameOverride }}{{ .Values.fullnameOverride | trunc 55 | trimSuffix "-" }}
{{- else }}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if contains $name .Release.Name }}{{ .Release.Name | trunc 55 | trimSuffix "-" }}
{{- else }}{{ printf "%s-%s" .Release.Name $name | trunc 55 | trimSuffix "-" }}
{{- end }}
{{- end }}
{{- end }}

{{- define "execwire.selectorLabels" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "execwire.labels" -}}
{{ include "execwire.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "execwire.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}{{ default (include "execwire.fullname" .) .Values.serviceAccount.name }}
{{- else }}{{ default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "execwire.secretName" -}}
{{ default (printf "%s-tokens" (include "execwire.fullname" .)) .Values.auth.existingSecret }}
{{- end }}

{{/* Does the pod mount a Secret? Not with a digest, and not without authentication. */}}
{{- define "execwire.mountsSecret" -}}
{{- if and (ne .Values.auth.mode "none") (not (and (eq .Values.auth.mode "capability-token") .Values.auth.tokenSha256)) }}true{{ end }}
{{- end }}

{{/* A list of an image's values and the root: its name. */}}
{{- define "execwire.imageName" -}}
{{- $image := index . 0 -}}
{{- if $image.digest }}{{ $image.repository }}@{{ $image.digest }}
{{- else }}{{ $image.repository }}:{{ default (index . 1).Chart.AppVersion $image.tag }}
{{- end }}
{{- end }}
