{{/* What the schema cannot say: relations between values. Owns the messages of a refused render. */}}
{{- define "execwire.checks" -}}
{{- $d := .Values.drain -}}
{{- $least := add $d.preStop $d.drainDelay $d.drainTimeout $d.killGrace $d.margin -}}
{{- if lt (int .Values.terminationGracePeriodSeconds) (int $least) -}}
{{- fail (printf "terminationGracePeriodSeconds %d is below preStop + drainDelay + drainTimeout + killGrace + margin = %d: running commands would be cut" (int .Values.terminationGracePeriodSeconds) (int $least)) -}}
{{- end -}}
{{- if and .Values.auth.tokenSha256 (ne .Values.auth.mode "capability-token") -}}
{{- fail "auth.tokenSha256 goes with auth.mode capability-token" -}}
{{- end -}}
{{- if and .Values.auth.jwks (or (ne .Values.auth.mode "signed-bearer-token") .Values.auth.token) -}}
{{- fail "auth.jwks goes with auth.mode signed-bearer-token and a Secret that holds jwks.json" -}}
{{- end -}}
{{- if and .Values.auth.token .Values.auth.existingSecret -}}
{{- fail "auth.token creates a Secret, auth.existingSecret names one: give one of them" -}}
{{- end -}}
{{- $hasPolicy := or (ne .Values.sandbox.default "dangerFullAccess") (ne .Values.sandbox.minimum "none") -}}
{{- if and .Values.sandbox.network (not $hasPolicy) -}}
{{- fail "sandbox.network goes with sandbox.default or sandbox.minimum" -}}
{{- end -}}
{{- if and .Values.sandbox.network (or (eq .Values.auth.mode "none") (and (eq .Values.auth.mode "capability-token") (not .Values.auth.tokenSha256)) (and (eq .Values.auth.mode "signed-bearer-token") (not .Values.auth.jwks))) -}}
{{- fail "sandbox.network needs auth.tokenSha256 or auth.jwks: a command with a network could read the server's credential and start others outside of every sandbox, so the server would refuse every such command" -}}
{{- end -}}
{{- if and .Values.workload.defaultCwd (not .Values.workload.image) -}}
{{- fail "workload.defaultCwd goes with workload.image" -}}
{{- end -}}
{{- with .Values.autoscaling -}}
{{- if and .enabled (not .targetCPUUtilizationPercentage) (not .targetSessions) -}}
{{- fail "autoscaling needs targetCPUUtilizationPercentage or targetSessions" -}}
{{- end -}}
{{- if gt (int .minReplicas) (int .maxReplicas) -}}
{{- fail "autoscaling.minReplicas is above autoscaling.maxReplicas" -}}
{{- end -}}
{{- if and .enabled (eq .kind "keda") .targetSessions (not .keda.serverAddress) -}}
{{- fail "autoscaling.kind keda with targetSessions needs keda.serverAddress: it asks Prometheus for the sessions" -}}
{{- end -}}
{{- end -}}
{{- if and .Values.runtimeClass.create (not (and .Values.runtimeClass.name .Values.runtimeClass.handler)) -}}
{{- fail "runtimeClass.create needs runtimeClass.name and runtimeClass.handler" -}}
{{- end -}}
{{- end -}}
