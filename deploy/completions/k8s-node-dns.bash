# Completions of k8s-node-dns for bash, made of its flags.
_k8s_node_dns_from() {
  [ "$1" = -W ] || compopt -o filenames 2> /dev/null
  mapfile -t COMPREPLY < <(compgen "$@" -- "$current")
}
_k8s_node_dns() {
  local current=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
  # bash takes --flag=value for three words.
  if [ "$current" = = ]; then
    current=
  elif [ "$before" = = ]; then
    before=${COMP_WORDS[COMP_CWORD - 2]}
  fi
  COMPREPLY=()
  case $before in
    --kubeconfig) _k8s_node_dns_from -f ;;
    --cluster-file) _k8s_node_dns_from -f ;;
    --state-dir) _k8s_node_dns_from -d ;;
    --cookie-secret-file) _k8s_node_dns_from -f ;;
    --tsig-key-file) _k8s_node_dns_from -f ;;
    --log-level) _k8s_node_dns_from -W 'error warn info debug trace' ;;
    --log-format) _k8s_node_dns_from -W 'text json' ;;
    --zone | --soa-ns | --soa-email | --ttl | --soa-refresh | --soa-retry | --soa-expire | --soa-ttl | --soa-neg-ttl | --bind | --port | --threads | --tcp-connections | --lame-duck | --http-listen | --context | --areas-annotation | --ips-annotation | --service-annotation | --state-after | --state-max-age | --areas-label | --addresses-from | --exclude-label | --exclude-taint | --maintenance-annotation | --priority-annotation | --probe-annotation | --lease-timeout | --up-after | --fallback | --when-none | --probe | --probe-interval | --probe-timeout | --probe-down | --probe-up | --probe-reference | --server-id | --version-bind | --max-answers | --rate-limit | --rate-limit-exempt | --leader-elect-lease-name | --leader-elect-namespace | --leader-elect-lease-duration | --leader-elect-renew-deadline | --leader-elect-retry-period | --allow-transfer | --ixfr-journal | --notify | --notify-interval | --check-resolver) ;;
    *) _k8s_node_dns_from -W '--zone --soa-ns --soa-email --ttl --soa-refresh --soa-retry --soa-expire --soa-ttl --soa-neg-ttl --bind --port --threads --tcp-connections --lame-duck --http-listen --kubeconfig --context --cluster-file --areas-annotation --ips-annotation --service-annotation --state-dir --state-after --state-max-age --areas-label --addresses-from --exclude-label --exclude-taint --maintenance-annotation --priority-annotation --probe-annotation --lease-timeout --up-after --fallback --when-none --probe --probe-interval --probe-timeout --probe-down --probe-up --probe-reference --server-id --version-bind --cookie-secret-file --tsig-key-file --max-answers --rate-limit --rate-limit-exempt --leader-elect --leader-elect-lease-name --leader-elect-namespace --leader-elect-lease-duration --leader-elect-renew-deadline --leader-elect-retry-period --allow-transfer --ixfr-journal --notify --notify-interval --zonemd --log-level --log-format --check --check-resolver --print-zone --help -h --version -V' ;;
  esac
}
complete -F _k8s_node_dns k8s-node-dns
