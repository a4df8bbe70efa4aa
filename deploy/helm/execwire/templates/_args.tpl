{{/* The command line of the server, from the values. Owns which value becomes which flag. */}}
{{- define "execwire.args" -}}
- serve
- --listen
- ws://0.0.0.0:8080
- --drain-delay
- {{ .Values.drain.drainDelay }}s
- --drain-timeout
- {{ .Values.drain.drainTimeout }}s
- --kill-grace
- {{ .Values.drain.killGrace }}s
- --ping-interval
- {{ .Values.pingInterval }}s
- --log-level
- {{ .Values.logLevel }}
- --ws-auth
- {{ .Values.auth.mode }}
{{- if eq .Values.auth.mode "capability-token" }}
{{- if .Values.auth.tokenSha256 }}
- --ws-token-sha256
- {{ .Values.auth.tokenSha256 | quote }}
{{- else }}
- --ws-token-file
- /etc/execwire/tokens/token
{{- end }}
{{- else if eq .Values.auth.mode "signed-bearer-token" }}
{{- if .Values.auth.jwks }}
- --ws-jwks-file
- /etc/execwire/tokens/jwks.json
{{- else }}
- --ws-shared-secret-file
- /etc/execwire/tokens/shared-secret
{{- end }}
{{- with .Values.auth.issuer }}
- --ws-issuer
- {{ . | quote }}
{{- end }}
{{- with .Values.auth.audience }}
- --ws-audience
- {{ . | quote }}
{{- end }}
{{- end }}
{{- if ne .Values.limits.maxConnections nil }}
- --max-connections
- {{ .Values.limits.maxConnections | int | toString | quote }}
{{- end }}
{{- if ne .Values.limits.maxProcesses nil }}
- --max-processes
- {{ .Values.limits.maxProcesses | int | toString | quote }}
{{- end }}
{{- range .Values.extraArgs }}
- {{ . | quote }}
{{- end }}
{{- end }}
