#!/usr/bin/env bash
# Prints a kubeconfig for the account of reader.yaml, for the cluster of kubectl's current context:
#
#   kubeconfig.sh                     with the token of the Secret, which has no end
#   kubeconfig.sh --duration 2160h    with a token that ends then, or sooner if the API server wants that
#
# Nothing of your own credentials is in it. Whoever has it can read nodes, Services and EndpointSlices.
set -euo pipefail
name=k8s-node-dns-outside namespace=k8s-node-dns
usage() { echo "usage: kubeconfig.sh [--duration TIME]" >&2; exit 2; }

case ${1-} in
  "")
    # Kubernetes fills the Secret in a moment after it was made.
    for _ in {1..30}; do
      token=$(kubectl -n $namespace get secret $name -o 'go-template={{with .data}}{{.token | base64decode}}{{end}}')
      [ -z "$token" ] || break
      sleep 1
    done
    if [ -z "$token" ]; then
      echo "kubeconfig.sh: the Secret $namespace/$name got no token within 30 s; is kube-controller-manager well?" >&2
      exit 1
    fi ;;
  --duration) [ $# = 2 ] || usage; token=$(kubectl -n $namespace create token $name --duration "$2") ;;
  *) usage ;;
esac

current() { kubectl config view --minify --flatten --raw -o "jsonpath=$1"; }
case $(current '{.clusters[0].cluster.server}') in
  https://127.*|https://localhost*|'https://[::1]'*)
    echo "kubeconfig.sh: the server is on loopback; on another machine, put its address there instead" >&2 ;;
esac
# JSON is YAML. Printed here rather than by `kubectl config set-credentials`, since everybody sees a command's arguments.
cat << END
apiVersion: v1
kind: Config
current-context: $name
clusters: $(current '{.clusters}')
contexts: [{name: $name, context: {cluster: "$(current '{.clusters[0].name}')", user: $name}}]
users: [{name: $name, user: {token: "$token"}}]
END
