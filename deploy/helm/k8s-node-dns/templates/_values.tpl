{{/*
What every template begins with: values that are missing are filled in, and those that cannot work together are refused.
*/}}

{{- define "k8s-node-dns.prepare" -}}
{{- /* hostUsers stays as it is: there, null means something. */}}
{{- $defaults := omit (.Files.Get "defaults.yaml" | fromYaml) "hostUsers" }}
{{- include "k8s-node-dns.fill" (list .Values $defaults) }}
{{- /*
A release of the original that is upgraded with --reuse-values brings the original's image along, which knows neither all
flags nor the probes.
*/}}
{{- if eq .Values.image.repository "ghcr.io/ds8088/k8s-node-dns" }}
  {{- $_ := set .Values.image "repository" $defaults.image.repository }}
  {{- $_ := set .Values.image "tag" $defaults.image.tag }}
{{- end }}
{{- include "k8s-node-dns.check" . }}
{{- end }}

{{- /* Sets what the first of two maps lacks to what the second has. */}}
{{- define "k8s-node-dns.fill" -}}
{{- $values := index . 0 }}
{{- range $key, $default := index . 1 }}
  {{- if not (hasKey $values $key) }}
    {{- $_ := set $values $key $default }}
  {{- else if kindIs "map" $default }}
    {{- include "k8s-node-dns.fill" (list (index $values $key) $default) }}
  {{- end }}
{{- end }}
{{- end }}

{{- /* What a schema cannot say, or not so that it helps. */}}
{{- define "k8s-node-dns.check" -}}
{{- $v := .Values }}
{{- if not $v.config.zone }}
  {{- fail "config.zone is missing: the zone to serve, as --set config.zone=lb.example.com" }}
{{- end }}
{{- if not $v.config.soaNS }}
  {{- fail "config.soaNS is missing: the zone's name servers, with the addresses at which the world reaches them, as --set 'config.soaNS=ns1.lb.example.com:192.0.2.53;ns2.lb.example.com:198.51.100.53'" }}
{{- end }}
{{- if not $v.config.soaEmail }}
  {{- fail "config.soaEmail is missing: the mailbox of who looks after the zone, as --set config.soaEmail=admin@example.com" }}
{{- end }}
{{- if not (contains "@" $v.config.soaEmail) }}
  {{- fail (printf "config.soaEmail (%s) has no @: write it as a mail address, as admin@example.com" $v.config.soaEmail) }}
{{- end }}
{{- range $v.extraArgs }}
  {{- if regexMatch "^--(port|http-listen)(=|$)" . }}
    {{- fail (printf "extraArgs has %s, but the pods' ports and probes would not follow: set config.port and http.port" .) }}
  {{- end }}
{{- end }}
{{- range $v.extraArgs }}
  {{- if hasPrefix "--leader-elect" . }}
    {{- fail (printf "extraArgs has %s, but the Role would not follow: set config.leaderElect and what is beside it" .) }}
  {{- end }}
{{- end }}
{{- if contains "OWNER" $v.image.repository }}
  {{- fail "image.repository is missing: this chart is not from a release, so say where you pushed the image, as --set image.repository=registry.example.com/k8s-node-dns" }}
{{- end }}
{{- if and (ne (toString $v.lameDuckSeconds) "") (le (int ($v.terminationGracePeriodSeconds | default 30)) (int $v.lameDuckSeconds)) }}
  {{- fail (printf "lameDuckSeconds (%v) must be less than terminationGracePeriodSeconds (%v), or the pods are killed before they have ended" $v.lameDuckSeconds ($v.terminationGracePeriodSeconds | default 30)) }}
{{- end }}
{{- if eq (int $v.config.port) (int $v.http.port) }}
  {{- fail (printf "config.port and http.port are both %v: DNS over TCP and HTTP cannot share a port" $v.http.port) }}
{{- end }}
{{- if and $v.hostNetwork $v.podMonitor.enabled }}
  {{- fail "podMonitor.enabled: with hostNetwork metrics are on 127.0.0.1 alone, where Prometheus cannot reach them" }}
{{- end }}
{{- if and $v.hostNetwork $v.networkPolicy.enabled }}
  {{- fail "networkPolicy.enabled: a network policy has no effect on pods with hostNetwork; use the firewall of the nodes" }}
{{- end }}
{{- if and $v.networkPolicy.enabled $v.podMonitor.enabled (not $v.networkPolicy.httpFrom) }}
  {{- fail "networkPolicy.httpFrom is empty, so the policy keeps the Prometheus of podMonitor out: name its namespace there, as [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: monitoring}}}]" }}
{{- end }}
{{- if eq $v.service.type "ClusterIP" }}
  {{- range list "externalTrafficPolicy" "nodePort" }}
    {{- if index $v.service . }}
      {{- fail (printf "service.%s needs a service.type of NodePort or LoadBalancer" .) }}
    {{- end }}
  {{- end }}
{{- end }}
{{- if and $v.service.loadBalancerClass (ne $v.service.type "LoadBalancer") }}
  {{- fail "service.loadBalancerClass needs a service.type of LoadBalancer" }}
{{- end }}
{{- if and $v.cookies.secrets $v.cookies.existingSecret }}
  {{- fail "cookies.secrets and cookies.existingSecret are both set: give the secrets, or the Secret that has them" }}
{{- end }}
{{- if and $v.tsig.keys $v.tsig.existingSecret }}
  {{- fail "tsig.keys and tsig.existingSecret are both set: give the keys, or the Secret that has them" }}
{{- end }}
{{- include "k8s-node-dns.checkKeys" . }}
{{- end }}

{{- /* The keys that are named, of which only those in a Secret of somebody else's, or a file, cannot be looked up. */}}
{{- define "k8s-node-dns.checkKeys" -}}
{{- $unseen := .Values.tsig.existingSecret }}
{{- range .Values.extraArgs }}
  {{- if hasPrefix "--tsig-key-file" . }}{{ $unseen = "file" }}{{ end }}
{{- end }}
{{- $known := list }}
{{- range .Values.tsig.keys }}
  {{- $name := .name | lower | trimSuffix "." }}
  {{- if has $name $known }}
    {{- fail (printf "tsig.keys has %s twice: give each key a name of its own" .name) }}
  {{- end }}
  {{- $known = append $known $name }}
{{- end }}
{{- range list (list "config.allowTransfer" "key:" .Values.config.allowTransfer) (list "config.notify" ",key=" .Values.config.notify) }}
  {{- $where := index . 0 }}
  {{- $mark := index . 1 }}
  {{- range index . 2 }}
    {{- if contains $mark . }}
      {{- $name := splitList $mark . | last }}
      {{- if not (or $unseen (has ($name | lower | trimSuffix ".") $known)) }}
        {{- fail (printf "%s names the key %s, which is not in tsig.keys: add it there, as {name: %s, algorithm: hmac-sha256, secret: …}, or set tsig.existingSecret" $where $name $name) }}
      {{- end }}
    {{- end }}
  {{- end }}
{{- end }}
{{- end }}
