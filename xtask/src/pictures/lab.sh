# A client, and a server with rules and services, whose table holds 160 entries.
set -e
modprobe -a nf_conntrack nf_conntrack_netlink nft_ct nf_tables 2>/dev/null || true
for netns in client server; do ip netns add $netns; ip -n $netns link set lo up; done
ip link add eth0 netns client type veth peer name eth0 netns server
ip -n client addr add 192.168.34.12/24 dev eth0
ip -n server addr add 192.168.34.11/24 dev eth0
ip -n client link set eth0 up
ip -n server link set eth0 up
on_client() { ip netns exec client "$@"; }
on_server() { ip netns exec server "$@"; }
on_server nft -f - <<'RULES'
table inet t {
    chain p { type filter hook prerouting priority 0; ct state new counter; }
    chain o { type filter hook output priority 0; ct state new counter; }
}
RULES
on_server ncat -u -l -k -e /bin/cat 192.168.34.11 53 >/dev/null 2>&1 &
on_server ncat -l -k -e /bin/cat 192.168.34.11 80 >/dev/null 2>&1 &
sysctl -qw net.netfilter.nf_conntrack_max=160
