#!/bin/sh
# Records the traffic of tests/kept in a guest, one file for each kind, into /out. CONTRIBUTING.md has the command.
export PATH=/t:$PATH
modprobe -a nf_conntrack nf_conntrack_netlink nfnetlink_cttimeout nft_ct nf_tables nf_nat xt_CT iptable_raw 2>/dev/null

# Two hosts: the rules of the server track connections.
for netns in client server; do ip netns add $netns; ip -n $netns link set lo up; done
ip link add eth0 netns client type veth peer name eth0 netns server
for netns in client server; do
    ip netns exec $netns sysctl -qw net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.eth0.accept_dad=0
done
ip -n client addr add 192.168.34.12/24 dev eth0
ip -n server addr add 192.168.34.11/24 dev eth0
ip -n client addr add fd34::12/64 dev eth0 nodad
ip -n server addr add fd34::11/64 dev eth0 nodad
ip -n client link set eth0 up
ip -n server link set eth0 up
on_client() { ip netns exec client "$@"; }
on_server() { ip netns exec server "$@"; }
on_server nft -f - <<'RULES'
table inet t {
    chain p { type filter hook prerouting priority 0; ct state new counter
    }
    chain o { type filter hook output priority 0; ct state new counter
    }
}
RULES
on_server bash -c 'ncat -u -l -k -e /bin/cat 192.168.34.11 53 >/dev/null 2>&1 &'
on_server bash -c 'ncat -l -k -e /bin/cat 192.168.34.11 8080 >/dev/null 2>&1 &'
sleep 2

# Two datagrams to a port of the server.
udp() {
    on_client bash -c "exec 3<>/dev/udp/192.168.34.11/$1; echo hello >&3; sleep 0.2; echo again >&3; sleep 0.2" 2>/dev/null
}

# A line to an address and port, and its answer.
tcp() {
    on_client bash -c "exec 3<>/dev/tcp/$1/$2; echo hello >&3; read -t 2 line <&3; exec 3>&-; sleep 0.3" 2>/dev/null
}

# record NAME COMMAND: the traffic that COMMAND causes.
record() {
    name=$1
    shift
    on_server conntrack -F 2>/dev/null
    rsct record --netns server -O /out/$name.rsct $options 2>/tmp/$name.err &
    recorder=$!
    for try in $(seq 300); do
        grep -q "causes are recorded\|are not reported" /tmp/$name.err && break
        sleep 0.1
    done
    "$@"
    sleep 1.2
    kill -INT $recorder
    wait $recorder
    echo "== $name"
    cat /tmp/$name.err
    ls -l /out/$name.rsct
}

echo_tcp() { tcp 192.168.34.11 8080; }

refused_udp() {
    on_client ping -c 2 -i 0.3 192.168.34.11 >/dev/null
    udp 9999
}

translated() {
    on_server nft 'add table ip n; add chain ip n p { type nat hook prerouting priority -100; }; add rule ip n p tcp dport 80 dnat to 192.168.34.11:8080'
    ip -n client route add 203.0.113.80/32 via 192.168.34.11 2>/dev/null
    tcp 203.0.113.80 80
    on_server nft delete table ip n
}

# The entry of a connection is deleted, and its next segment begins none.
out_of_nowhere() {
    on_server sysctl -qw net.netfilter.nf_conntrack_tcp_loose=0
    on_client bash -c 'exec 3<>/dev/tcp/192.168.34.11/8080; echo hello >&3; read -t 2 l <&3; sleep 0.2; touch /tmp/go; sleep 0.6; echo again >&3; sleep 0.5' &
    talker=$!
    for try in $(seq 50); do
        [ -e /tmp/go ] && break
        sleep 0.1
    done
    on_server conntrack -D -p tcp >/dev/null 2>&1
    wait $talker
    sleep 1
    on_server sysctl -qw net.netfilter.nf_conntrack_tcp_loose=1
}

# By a listed entry, by its timeout, and of the whole table.
deletions() {
    on_server sysctl -qw net.netfilter.nf_conntrack_udp_timeout=1
    udp 9001
    on_server conntrack -D -p udp --dport 9001 >/dev/null 2>&1
    udp 9002
    sleep 2
    udp 9003
    on_server conntrack -F 2>/dev/null
    on_server sysctl -qw net.netfilter.nf_conntrack_udp_timeout=30
}

# A policy governs the first flow, a default that changed the second.
timeouts() {
    udp 8001
    on_server sysctl -qw net.netfilter.nf_conntrack_udp_timeout=45
    sleep 1.2
    udp 8002
    on_server sysctl -qw net.netfilter.nf_conntrack_udp_timeout=30
}

# Six entries that early_drop cannot evict fill the table.
full_table() {
    for port in 1001 1002 1003 1004 1005 1006; do
        on_server rsct create -p udp -s 10.0.0.9 -d 10.0.1.1 --sport $port --dport 53 -t 120 -u ASSURED,SEEN_REPLY -q >/dev/null 2>&1
    done
    for port in 9101 9102 9103; do udp $port; done
}

# Zones of both directions, and of the original direction.
zones() {
    on_server nft 'add table ip z; add chain ip z p { type filter hook prerouting priority -300; }; add rule ip z p udp dport 9201 ct zone set 5; add rule ip z p udp dport 9202 ct original zone set 7'
    udp 9201
    udp 9202
    on_server nft delete table ip z
}

# ICMPv6, and an entry that user space inserts and updates.
ipv6_and_netlink() {
    on_client ping -c 1 fd34::11 >/dev/null
    on_server conntrack -I -p tcp -s 10.0.0.1 -d 10.0.0.2 --sport 1 --dport 2 --state ESTABLISHED -t 100 >/dev/null 2>&1
    on_server conntrack -U -p tcp -s 10.0.0.1 -d 10.0.0.2 --sport 1 --dport 2 -t 50 -m 7 >/dev/null 2>&1
}

options=
record udp udp 53
record tcp echo_tcp
record icmp refused_udp
record dnat translated
record invalid out_of_nowhere
record delete deletions
on_server rsct timeout policy add udp-policy1 inet udp unreplied=20 replied=300 >/dev/null
on_server rsct timeout attach udp-policy1 --dport 8001 >/dev/null 2>&1
record policy timeouts
on_server rsct timeout detach udp-policy1 >/dev/null 2>&1
most=$(cat /proc/sys/net/netfilter/nf_conntrack_max)
sysctl -qw net.netfilter.nf_conntrack_max=6
record full full_table
sysctl -qw net.netfilter.nf_conntrack_max=$most
record zone zones
options="--latency --slower-than 50us"
record six ipv6_and_netlink
