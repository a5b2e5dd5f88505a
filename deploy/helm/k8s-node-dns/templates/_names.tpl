{{/*
Names and labels. They are those of the original's chart, so that an upgrade from it finds its objects: selectors cannot
be changed, and people have written scripts around the rest.
*/}}

{{- define "k8s-node-dns.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "k8s-node-dns.fullname" -}}
{{- $name := .Values.nameOverride | default .Chart.Name }}
{{- $made := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) }}
{{- .Values.fullnameOverride | default $made | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "k8s-node-dns.serviceName" -}}
{{- .Values.service.name | default (include "k8s-node-dns.fullname" .) }}
{{- end }}

{{- define "k8s-node-dns.serviceAccountName" -}}
{{- .Values.serviceAccount.name | default (include "k8s-node-dns.fullname" .) }}
{{- end }}

{{- define "k8s-node-dns.selectorLabels" -}}
app.kubernetes.io/name: {{ include "k8s-node-dns.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end }}

{{- define "k8s-node-dns.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "k8s-node-dns.selectorLabels" . }}
app.kubernetes.io/component: {{ .Values.componentOverride | default "k8s-node-dns" | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}
