# Runs in the container of `debian.rs`, under its systemd. The first thing that is not as it should be ends it.
exec > /test/result 2>&1
set -eux
export DEBIAN_FRONTEND=noninteractive

fails() { if "$@"; then return 1; fi; }
# until_ok COMMAND: waits, half a minute at most
until_ok() { for i in $(seq 300); do "$@" && return; sleep 0.1; done; return 1; }
pid() { systemctl show --property MainPID --value k8s-node-dns; }
# answer NAME: RCODE and addresses of an A query over UDP to port 53
answer() {
  perl -MIO::Socket::INET -e '
    my $s = IO::Socket::INET->new(PeerAddr => "127.0.0.1:53", Proto => "udp") or die "socket: $!";
    my $name = join("", map { chr(length) . $_ } split(/\./, $ARGV[0])) . "\0";
    $s->send(pack("nnnnnn", 7, 0, 1, 0, 0, 0) . $name . pack("nn", 1, 1));
    $SIG{ALRM} = sub { exit 1 }; alarm 2;
    defined $s->recv(my $reply, 512) or exit 1;
    my ($flags, $count) = (unpack "nnnn", $reply)[1, 3];
    my @found = map { join ".", unpack "C4", substr($reply, 12 + length($name) + 4 + 16 * $_ + 12, 4) } 0 .. $count - 1;
    print join(" ", $flags & 15, sort @found), "\n";
  ' "$1"
}
answers() { [ "$(answer "$1")" = "$2" ]; }
# readme NUMBER: a line of what the README says to type, with what it stands for where the machine has it not
readme() { eval "$(sed -n "$1p" /test/readme.sh)"; }
sudo() { "$@"; }
just() { echo /test; } # where `just dist` has put the package

: install
readme 1
[ "$(dpkg-query --show --showformat '${Status}' k8s-node-dns)" = "install ok installed" ]
k8s-node-dns --version
for file in /usr/share/man/man8/k8s-node-dns.8.gz /usr/share/bash-completion/completions/k8s-node-dns \
  /usr/share/zsh/vendor-completions/_k8s-node-dns /usr/share/fish/vendor_completions.d/k8s-node-dns.fish \
  /etc/default/k8s-node-dns /usr/share/doc/k8s-node-dns/copyright; do
  # minbase may leave documents out, by dpkg's own rules
  dpkg --listfiles k8s-node-dns | grep -qx "$file"
done
[ "$(dpkg-query --show --showformat '${Conffiles}' k8s-node-dns | grep -c /etc/default/k8s-node-dns)" = 1 ]
[ "$(stat --format %a /etc/k8s-node-dns)" = 700 ]
# Nobody has said yet what to serve.
fails systemctl is-enabled --quiet k8s-node-dns
fails systemctl is-active --quiet k8s-node-dns

: a start without settings fails, says what is missing, and is not tried again
kubectl() { cat << 'END'
apiVersion: v1
kind: Config
current-context: here
clusters: [{name: here, cluster: {server: "https://127.0.0.1:1"}}]
contexts: [{name: here, context: {cluster: here, user: me}}]
users: [{name: me, user: {token: secret}}]
END
}
readme 2
[ "$(stat --format %a /etc/k8s-node-dns/kubeconfig)" = 600 ]
fails systemctl start k8s-node-dns
[ "$(systemctl show --property ExecMainStatus --value k8s-node-dns)" = 2 ]
systemctl is-failed --quiet k8s-node-dns
journalctl --unit k8s-node-dns --output cat | grep -q 'K8S_NODE_DNS_ZONE'

: with settings it runs, if only to say that it knows nothing
sudoedit() {
  sed -i 's/^#\(K8S_NODE_DNS_ZONE=\).*/\1lb.example.test/
    s/^#\(K8S_NODE_DNS_SOA_NS=\).*/\1ns1.lb.example.test:127.0.0.1/
    s/^#\(K8S_NODE_DNS_SOA_EMAIL=\).*/\1admin@example.test/' "$@"
}
readme 3
readme 4
systemctl is-enabled --quiet k8s-node-dns
systemctl is-active --quiet k8s-node-dns
answers home.lb.example.test 2
journalctl --unit k8s-node-dns --output cat | grep -q 'https://127.0.0.1:1'
[ "$(systemctl show --property WatchdogUSec --value k8s-node-dns)" = 30s ]

: from a file, with a user that is not root, on port 53, and with a state
chmod 644 /test/cluster.yaml
sed -i 's,^#\(K8S_NODE_DNS_CLUSTER_FILE=\).*,\1/test/cluster.yaml,
  s,^OPTIONS=.*,OPTIONS="--http-listen= --log-level debug",' /etc/default/k8s-node-dns
systemctl restart k8s-node-dns
until_ok answers home.lb.example.test '0 192.0.2.10 192.0.2.11'
grep -E '^Uid:\s+6[0-9]{4}\s' "/proc/$(pid)/status"
grep -E '^CapEff:\s+0000000000000400$' "/proc/$(pid)/status"
until_ok test -s /var/lib/private/k8s-node-dns/state
systemctl status --no-pager k8s-node-dns | grep 'Status: "'

: nothing that the daemon needs is refused by the sandbox
fails sh -c 'journalctl --unit k8s-node-dns --output cat | grep -iE "permitted|denied|read-only|cannot raise"'
[ "$(awk '/^Max open files/ { print $4 }' "/proc/$(pid)/limits")" -gt 1024 ] # a container may have less than is asked for

: reload
before=$(pid)
sed -i 's/192\.0\.2\.10/192.0.2.99/' /test/cluster.yaml
systemctl reload k8s-node-dns
until_ok answers home.lb.example.test '0 192.0.2.11 192.0.2.99'
[ "$(pid)" = "$before" ]

: a death is not the end
kill -KILL "$before"
until_ok sh -c "[ \"\$(systemctl show --property MainPID --value k8s-node-dns)\" != 0 ] && [ \"\$(systemctl show --property MainPID --value k8s-node-dns)\" != $before ]"
until_ok answers home.lb.example.test '0 192.0.2.11 192.0.2.99'

: upgrade: settings stay, the service runs on as a new process
before=$(pid)
dpkg --force-confold --install /test/newer.deb
until_ok answers home.lb.example.test '0 192.0.2.11 192.0.2.99'
[ "$(pid)" != "$before" ]
grep -q '^K8S_NODE_DNS_ZONE=lb.example.test' /etc/default/k8s-node-dns
grep -q 'of the newer version' /etc/default/k8s-node-dns.dpkg-dist
systemctl is-enabled --quiet k8s-node-dns

: remove: it ends, settings stay
dpkg --remove k8s-node-dns
fails systemctl is-active --quiet k8s-node-dns
fails answer home.lb.example.test
[ ! -e /usr/bin/k8s-node-dns ]
[ -e /etc/default/k8s-node-dns ]

: installed again it is enabled as before
dpkg --force-confold --install /test/newer.deb
systemctl is-enabled --quiet k8s-node-dns

: purge: nothing stays
dpkg --purge k8s-node-dns
[ -z "$(find /etc /usr /var/lib -name '*k8s-node-dns*' -not -path '/var/lib/systemd/*')" ]

set +x
echo "all is well"
