# Traffic for the picture of `rsct top`: DNS and web requests, a scan, a table that fills; and the captured screen.
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
