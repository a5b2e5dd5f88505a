{{/*
The parts of the pod that need to be decided.
*/}}

{{- /* Not empty for a port that needs a privilege. */}}
{{- define "k8s-node-dns.privilegedPort" -}}
{{- if lt (int .Values.config.port) 1024 }}true{{ end }}
{{- end }}

{{- /* Where HTTP listens. On a node's own address, the status page would be public. */}}
{{- define "k8s-node-dns.httpAddress" -}}
{{- ternary "127.0.0.1" "[::]" .Values.hostNetwork }}
{{- end }}

{{- /* Seconds. A release of the original may have a grace period that is shorter than our usual ones. */}}
{{- define "k8s-node-dns.lameDuck" -}}
{{- $grace := int64 (.Values.terminationGracePeriodSeconds | default 30) }}
{{- if eq (toString .Values.lameDuckSeconds) "" }}
{{- min 5 (max 0 (sub $grace 5)) }}
{{- else }}
{{- int64 .Values.lameDuckSeconds }}
{{- end }}
{{- end }}

{{- /* Numbers through int64: from a file of values they are floating, so that 1000000 would be 1e+06. */}}
{{- define "k8s-node-dns.args" -}}
{{- $config := .Values.config }}
- {{ printf "--zone=%s" $config.zone | quote }}
- {{ printf "--soa-ns=%s" $config.soaNS | quote }}
- {{ printf "--soa-email=%s" $config.soaEmail | quote }}
{{- with $config.bind }}
- {{ printf "--bind=%s" . | quote }}
{{- end }}
- --port={{ int64 $config.port }}
- --ttl={{ int64 $config.ttl }}
- --soa-refresh={{ int64 $config.soa.refresh }}
- --soa-retry={{ int64 $config.soa.retry }}
- --soa-expire={{ int64 $config.soa.expire }}
- --soa-ttl={{ int64 $config.soa.ttl }}
- --soa-neg-ttl={{ int64 $config.soa.negativeTTL }}
- {{ printf "--areas-annotation=%s" $config.areasAnnotation | quote }}
- {{ printf "--ips-annotation=%s" $config.ipsAnnotation | quote }}
- {{ printf "--service-annotation=%s" $config.serviceAnnotation | quote }}
{{- with $config.areasLabels }}
- {{ printf "--areas-label=%s" (join "," .) | quote }}
{{- end }}
{{- with $config.addressesFrom }}
- {{ printf "--addresses-from=%s" (join "," .) | quote }}
{{- end }}
{{- with $config.excludeLabels }}
- {{ printf "--exclude-label=%s" (join "," .) | quote }}
{{- end }}
{{- with $config.excludeTaints }}
- {{ printf "--exclude-taint=%s" (join "," .) | quote }}
{{- end }}
- {{ printf "--maintenance-annotation=%s" $config.maintenanceAnnotation | quote }}
- {{ printf "--priority-annotation=%s" $config.priorityAnnotation | quote }}
- {{ printf "--probe-annotation=%s" $config.probeAnnotation | quote }}
{{- if ne $config.upAfter "0s" }}
- {{ printf "--up-after=%s" $config.upAfter | quote }}
{{- end }}
{{- range $area, $others := $config.fallback }}
- {{ printf "--fallback=%s=%s" $area (join "," $others) | quote }}
{{- end }}
{{- if ne $config.whenNone "empty" }}
- --when-none={{ $config.whenNone }}
{{- end }}
{{- with int64 $config.maxAnswers }}
- --max-answers={{ . }}
{{- end }}
- {{ printf "--http-listen=%s:%d" (include "k8s-node-dns.httpAddress" .) (int64 .Values.http.port) | quote }}
- --lame-duck={{ include "k8s-node-dns.lameDuck" . }}s
{{- if .Values.state.enabled }}
- --state-dir=/var/lib/k8s-node-dns
{{- end }}
{{- if or .Values.cookies.secrets .Values.cookies.existingSecret }}
- --cookie-secret-file=/etc/k8s-node-dns/cookie-secrets
{{- end }}
{{- with include "k8s-node-dns.lease" . }}
- --leader-elect
- {{ printf "--leader-elect-lease-name=%s" . | quote }}
{{- with $config.leaderElectNamespace }}
- {{ printf "--leader-elect-namespace=%s" . | quote }}
{{- end }}
{{- if ne $config.leaderElectLeaseDuration "15s" }}
- {{ printf "--leader-elect-lease-duration=%s" $config.leaderElectLeaseDuration | quote }}
{{- end }}
{{- if ne $config.leaderElectRenewDeadline "10s" }}
- {{ printf "--leader-elect-renew-deadline=%s" $config.leaderElectRenewDeadline | quote }}
{{- end }}
{{- if ne $config.leaderElectRetryPeriod "2s" }}
- {{ printf "--leader-elect-retry-period=%s" $config.leaderElectRetryPeriod | quote }}
{{- end }}
{{- end }}
{{- if include "k8s-node-dns.tsigSecret" . }}
- --tsig-key-file=/etc/k8s-node-dns-tsig/tsig.keys
{{- end }}
{{- range $config.allowTransfer }}
- {{ printf "--allow-transfer=%s" . | quote }}
{{- end }}
{{- if ne (toString $config.ixfrJournal) "" }}
- {{ printf "--ixfr-journal=%v" (kindIs "float64" $config.ixfrJournal | ternary (int64 $config.ixfrJournal) $config.ixfrJournal) | quote }}
{{- end }}
{{- range $config.notify }}
- {{ printf "--notify=%s" . | quote }}
{{- end }}
{{- if ne $config.notifyInterval "1s" }}
- {{ printf "--notify-interval=%s" $config.notifyInterval | quote }}
{{- end }}
{{- if $config.zonemd }}
- --zonemd
{{- end }}
{{- with $config.leaseTimeout }}
- {{ printf "--lease-timeout=%s" . | quote }}
{{- end }}
{{- if $config.probe }}
- {{ printf "--probe=%s" $config.probe | quote }}
- {{ printf "--probe-interval=%s" $config.probeInterval | quote }}
- {{ printf "--probe-timeout=%s" $config.probeTimeout | quote }}
- --probe-down={{ int64 $config.probeDown }}
- --probe-up={{ int64 $config.probeUp }}
{{- with $config.probeReferences }}
- {{ printf "--probe-reference=%s" (join "," .) | quote }}
{{- end }}
{{- end }}
{{- range .Values.extraArgs }}
- {{ . | quote }}
{{- end }}
{{- end }}

{{- /*
The user. Kubernetes gives nobody but root ambient capabilities, so NET_BIND_SERVICE alone opens port 53 to nobody else.
The setting of the pod's own network namespace does; it is among the kubelet's safe ones since 1.22. With hostNetwork the
API refuses it, which leaves root with that one capability.
*/}}
{{- define "k8s-node-dns.podSecurityContext" -}}
{{- $root := and .Values.hostNetwork (include "k8s-node-dns.privilegedPort" .) }}
{{- $user := ternary 0 65532 (not (empty $root)) }}
runAsNonRoot: {{ empty $root }}
runAsUser: {{ $user }}
runAsGroup: {{ $user }}
{{- /* Keys are for this user's group alone, and not for the world. */}}
{{- if or (and .Values.state.enabled .Values.state.existingClaim) (include "k8s-node-dns.tsigSecret" .) }}
fsGroup: {{ $user }}
fsGroupChangePolicy: OnRootMismatch
{{- end }}
seccompProfile:
  type: RuntimeDefault
{{- if and (include "k8s-node-dns.privilegedPort" .) (not .Values.hostNetwork) }}
sysctls:
  - name: net.ipv4.ip_unprivileged_port_start
    value: "0"
{{- end }}
{{- end }}

{{- /* A probe: what it asks for, and in which port. */}}
{{- define "k8s-node-dns.httpGet" -}}
path: {{ .path }}
port: http
{{- if .root.Values.hostNetwork }}
# The kubelet would ask the address of the node, where nothing listens.
host: 127.0.0.1
{{- end }}
{{- end }}

{{- /* The tolerations of a Deployment: a DaemonSet's pods belong to their node, come what may. */}}
{{- define "k8s-node-dns.tolerations" -}}
{{- $own := list }}
{{- if and (eq .Values.kind "Deployment") (ne (toString .Values.tolerationSeconds) "") }}
  {{- $given := list }}
  {{- range .Values.tolerations }}
    {{- $given = append $given .key }}
  {{- end }}
  {{- range list "node.kubernetes.io/not-ready" "node.kubernetes.io/unreachable" }}
    {{- if not (has . $given) }}
      {{- $own = append $own (dict "key" . "operator" "Exists" "effect" "NoExecute" "tolerationSeconds" (int $.Values.tolerationSeconds)) }}
    {{- end }}
  {{- end }}
{{- end }}
{{- with concat .Values.tolerations $own }}
{{- toYaml . }}
{{- end }}
{{- end }}

{{- /* Each constraint; one that does not say over which pods is over those of this release. */}}
{{- define "k8s-node-dns.spread" -}}
{{- $ours := dict "matchLabels" (include "k8s-node-dns.selectorLabels" . | fromYaml) }}
{{- $constraints := list }}
{{- range .Values.topologySpreadConstraints }}
  {{- if not (hasKey . "labelSelector") }}
    {{- $_ := set . "labelSelector" $ours }}
  {{- end }}
  {{- $constraints = append $constraints . }}
{{- end }}
{{- toYaml $constraints }}
{{- end }}
