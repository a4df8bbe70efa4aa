{{/* The parts of a pod that bring execwire into an image of the user's (workload.image). Owns where the folder lies: at /execwire, whatever the method. */}}
{{- define "execwire.workload.initContainers" -}}
- name: runtime
  image: {{ include "execwire.imageName" (list .Values.workload.runtime .) | quote }}
  imagePullPolicy: {{ .Values.workload.runtime.pullPolicy }}
  args:
    - install
    - /shared
  securityContext:
    allowPrivilegeEscalation: false
    readOnlyRootFilesystem: true
    capabilities:
      drop:
        - ALL
  # Kubernetes takes the larger of this and the main container's, so that the copy costs the pod nothing.
  resources:
    {{- toYaml .Values.resources | nindent 4 }}
  volumeMounts:
    - name: runtime
      mountPath: /shared
{{- end }}

{{- define "execwire.workload.mount" -}}
- name: runtime
  mountPath: /execwire
  # What `install` makes, and what is in the runtime image.
  subPath: execwire
  readOnly: true
{{- end }}

{{- define "execwire.workload.volume" -}}
- name: runtime
  {{- if eq .Values.workload.method "imageVolume" }}
  image:
    reference: {{ include "execwire.imageName" (list .Values.workload.runtime .) | quote }}
    pullPolicy: {{ .Values.workload.runtime.pullPolicy }}
  {{- else }}
  emptyDir:
    sizeLimit: 256Mi
  {{- end }}
{{- end }}
