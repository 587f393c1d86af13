#!/bin/sh
# The guest's first process: sets up a small Linux from the initramfs, runs one command and powers off.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM="${TERM:-linux}"
export LANG=C.UTF-8 SHELL=/bin/sh USER=root LOGNAME=root

# The kernel may have mounted devtmpfs already.
mount -t devtmpfs devtmpfs /dev 2>/dev/null
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs tmpfs /dev/shm
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t tracefs tracefs /sys/kernel/tracing
mount -t debugfs debugfs /sys/kernel/debug
mount -t bpf bpf /sys/fs/bpf
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mount -t tmpfs tmpfs /tmp
mount -t tmpfs tmpfs /run
mkdir -p /run/netns /run/lock
hostname rsct
ip link set lo up
ulimit -l unlimited

modprobe -a virtio_pci virtio_console virtio_rng

# Ports appear one by one, after the driver's handshake with the host.
port() {
    tries=0
    while [ $tries -lt 500 ]; do
        for name in /sys/class/virtio-ports/*/name; do
            if [ "$(cat "$name" 2>/dev/null)" = "$1" ]; then
                basename "$(dirname "$name")"
                return
            fi
        done
        usleep 10000
        tries=$((tries + 1))
    done
    echo "init: the host provides no port $1" >/dev/console
    poweroff -f
}
exit_port=/dev/$(port rsct.exit)
files_port=/dev/$(port rsct.files)

cd /root || exit
mkdir -p /out
if [ -e /rsct/terminal ]; then
    # A session of its own on the terminal, so that Ctrl-C reaches the command and job control works.
    # Its size is set in there, because the terminal forgets it when closed.
    setsid -c sh -c 'stty $(cat /rsct/terminal); . /rsct/command' </dev/hvc0 >/dev/hvc0 2>&1
    status=$?
else
    output_port=/dev/$(port rsct.output)
    sh /rsct/command </dev/null >"$output_port" 2>&1
    status=$?
fi

if [ -n "$(ls -A /out)" ]; then
    tar -C /out -cf "$files_port" .
fi
echo "$status" >"$exit_port"
poweroff -f
