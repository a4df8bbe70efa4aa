{{/* What both kinds of autoscaling share: how fast replicas come and go, and how sessions are counted. */}}
{{- define "execwire.scalingBehavior" -}}
scaleUp:
  stabilizationWindowSeconds: 0
  policies:
    - type: Percent
      value: 100
      periodSeconds: 30
# Slow, because each replica that is removed drains its terminals.
scaleDown:
  stabilizationWindowSeconds: 600
  policies:
    - type: Pods
      value: 1
      periodSeconds: 300
{{- end }}

{{/*
The sessions of this release's pods. Their names are those of the Deployment with two random parts, so that a release whose name goes on after
this one is left out; `max by (pod)` counts a pod once that is scraped twice.
*/}}
{{- define "execwire.sessionsQuery" -}}
sum(max by (pod) (execwire_sessions{namespace="{{ .Release.Namespace }}",pod=~"{{ include "execwire.fullname" . }}-[a-z0-9]+-[a-z0-9]+"}))
{{- end }}
