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

{{- /* Not empty where there may be more than one pod. */}}
{{- define "k8s-node-dns.several" -}}
{{- if or (eq .Values.kind "DaemonSet") (gt (int64 .Values.replicaCount) 1) }}true{{ end }}
{{- end }}

{{- /* The Lease by which replicas agree; empty where they don't. */}}
{{- define "k8s-node-dns.lease" -}}
{{- $wanted := toString .Values.config.leaderElect | default (include "k8s-node-dns.several" .) }}
{{- if eq $wanted "true" }}
{{- .Values.config.leaderElectLeaseName | default (printf "%s-leader" (include "k8s-node-dns.fullname" .)) }}
{{- end }}
{{- end }}

{{- define "k8s-node-dns.leaseNamespace" -}}
{{- .Values.config.leaderElectNamespace | default .Release.Namespace }}
{{- end }}

{{- /* The Secret with the keys of TSIG; empty where there are none. */}}
{{- define "k8s-node-dns.tsigSecret" -}}
{{- $made := ternary "" (printf "%s-tsig" (include "k8s-node-dns.fullname" .)) (empty .Values.tsig.keys) }}
{{- .Values.tsig.existingSecret | default $made }}
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
