# Traffic for the picture of `rsct top`: DNS and web requests, a scan, a table that fills; and the captured screen.
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
export LC_ALL=C.UTF-8
ip netns exec server tmux -f /dev/null new-session -d -x 100 -y 24 'rsct top'
shows() {
    for try in $(seq 600); do
        tmux capture-pane -p | grep -q "$1" && return
        sleep 0.1
    done
    tmux capture-pane -p
    exit 1
}
shows "% of 160"
cat >/tmp/client <<'CLIENT'
dns() { exec 3<>/dev/udp/192.168.34.11/53; echo query >&3; read -t 1 answer <&3; exec 3>&-; }
web() { exec 3<>/dev/tcp/192.168.34.11/80; for line in 1 2 3; do echo request >&3; read -t 1 answer <&3; done; exec 3>&-; }
for round in $(seq 600); do dns; [ $((round % 2)) = 0 ] && web; [ $((round % 8)) = 0 ] && sleep 0.5; done
CLIENT
on_client bash /tmp/client 2>/dev/null &
on_client bash -c 'for port in $(seq 2000 2120); do echo x >/dev/udp/192.168.34.11/$port; sleep 0.05; done' 2>/dev/null &
# A history of some length, and a growing table.
shows "full in"
sleep 12
shows "full in"
tmux capture-pane -p -e >/out/top.txt
tmux send-keys q
