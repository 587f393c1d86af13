# Traffic for the picture of the report: DNS and web requests, a scan, segments without a connection, a table that fills.
rsct record --netns server -O /out/host.rsct 2>/tmp/record.err &
recorder=$!
for try in $(seq 600); do
    grep -q "causes are recorded\|are not reported" /tmp/record.err && break
    sleep 0.1
done

cat >/tmp/client <<'CLIENT'
dns() { exec 3<>/dev/udp/192.168.34.11/53; echo query >&3; read -t 1 answer <&3; exec 3>&-; }
web() { exec 3<>/dev/tcp/192.168.34.11/80; for line in 1 2 3; do echo request >&3; read -t 1 answer <&3; done; exec 3>&-; }
for round in $(seq $1); do dns; [ $((round % 2)) = 0 ] && web; sleep 0.1; done
CLIENT
on_client bash /tmp/client 60 2>/dev/null &
first=$!
sleep 4
# A connection whose entry is deleted: its next segments begin none.
on_server sysctl -qw net.netfilter.nf_conntrack_tcp_loose=0
on_client bash -c 'exec 3<>/dev/tcp/192.168.34.11/80; echo a >&3; read -t 1 l <&3; sleep 2; for n in 1 2 3 4 5 6; do echo b >&3; sleep 0.3; done' 2>/dev/null &
sleep 1
on_server conntrack -D -p tcp --state ESTABLISHED >/dev/null 2>&1 || true
sleep 3
# A scan fills the table.
on_client bash -c 'for port in $(seq 2000 2260); do echo x >/dev/udp/192.168.34.11/$port; done' 2>/dev/null || true
wait $first || true
on_client bash /tmp/client 20 2>/dev/null || true
kill -INT $recorder
wait $recorder || true
ls -l /out/host.rsct
