{{/* The command line of the server, from the values. Owns which value becomes which flag. */}}
{{- define "execwire.args" -}}
- serve
- --listen
- ws://0.0.0.0:8080
- --metrics-listen
- http://0.0.0.0:9464
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
{{- with .Values.workload.defaultCwd }}
- --default-cwd
- {{ . | quote }}
{{- end }}
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
{{- if ne .Values.limits.replayBudget nil }}
- --replay-budget
- {{ .Values.limits.replayBudget | int64 | toString | quote }}
{{- end }}
{{- if ne .Values.limits.maxDetached nil }}
- --max-detached
- {{ .Values.limits.maxDetached | int64 }}s
{{- end }}
{{- with .Values.sandbox }}
{{- if ne .default "dangerFullAccess" }}
- --sandbox-default
- {{ .default }}
{{- end }}
{{- if ne .minimum "none" }}
- --sandbox-minimum
- {{ .minimum }}
{{- end }}
{{- range .roots }}
- --sandbox-roots
- {{ . | quote }}
{{- end }}
{{- if .network }}
- --sandbox-network
{{- end }}
{{- end }}
{{- range .Values.extraArgs }}
- {{ . | quote }}
{{- end }}
{{- end }}
