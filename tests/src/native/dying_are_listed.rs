//! A reliable listener does not read: deleted entries wait for their event, in the list of dying entries. Both tools
//! list them.

use std::{mem::size_of_val, os::fd::AsRawFd as _, os::fd::FromRawFd as _, os::fd::OwnedFd};

use anyhow::{Result, ensure};

use super::{namespace::Namespace, table::same_entries};
use crate::lab::inside::inside;

const ENTRIES: usize = 600;
/// `NETLINK_BROADCAST_ERROR` in include/uapi/linux/netlink.h.
const BROADCAST_ERROR: libc::c_int = 4;
/// `NFNLGRP_CONNTRACK_DESTROY`.
const DESTROY: libc::c_int = 3;

pub fn run() -> Result<()> {
    let namespace = Namespace::new("dying")?;
    ensure!(namespace.list(&["-t", "dying"])?.is_empty(), "there are none yet");
    ensure!(
        namespace.list(&["-t", "unconfirmed"])?.is_empty(),
        "there are none"
    );
    let deaf = inside(&namespace.name, "deaf", listener)?;
    let entries: String = (0..ENTRIES)
        .map(|n| {
            let (high, low) = (n / 250, n % 250);
            format!("-I -p udp -s 10.0.{high}.{low} -d 10.1.0.1 --sport 1000 --dport 53 -t 300\n")
        })
        .collect();
    load(&namespace, &entries)?;
    // Flushing emits the delete events itself, and continues where that fails.
    namespace.sh("conntrack -F 2>&1")?;
    let ours = namespace.list(&["-t", "dying"])?;
    let theirs = namespace.sh("conntrack -L dying 2>/dev/null")?;
    ensure!(!ours.is_empty(), "no entry waits for its event");
    same_entries(&without_use(&ours), &without_use(&theirs))?;
    let json = namespace.list(&["-t", "dying", "-o", "json", "-s", "10.0.1.7"])?;
    ensure!(
        json.lines()
            .all(|line| line.contains("\"DYING\"") && line.contains("10.0.1.7")),
        "{json}"
    );
    drop(deaf);
    crate::lab::wait::until("the last of them is freed", || {
        Ok(namespace.list(&["--table", "dying"])?.is_empty())
    })
}

/// Lines without the number of references to each entry: an attempt to deliver an event holds one.
fn without_use(listing: &str) -> String {
    let line = |line: &str| {
        let fields: Vec<&str> = line
            .split(' ')
            .filter(|field| !field.starts_with("use="))
            .collect();
        fields.join(" ") + "\n"
    };
    listing.lines().map(line).collect()
}

/// Makes entries with conntrack, one for each line of its options.
pub fn load(namespace: &Namespace, lines: &str) -> Result<()> {
    let file = std::env::temp_dir().join(format!("rsct-{}-load", std::process::id()));
    std::fs::write(&file, lines)?;
    let loaded = namespace.sh(&format!("conntrack -R {} 2>&1", file.display()));
    std::fs::remove_file(&file)?;
    loaded?;
    Ok(())
}

/// A reliable listener with a small buffer.
fn listener() -> Result<OwnedFd> {
    // SAFETY: socket has no pointer arguments, and its descriptor has no other owner.
    let socket = unsafe {
        let fd = libc::socket(
            libc::AF_NETLINK,
            libc::SOCK_RAW | libc::SOCK_CLOEXEC,
            libc::NETLINK_NETFILTER,
        );
        ensure!(
            fd >= 0,
            "open a netlink socket: {}",
            std::io::Error::last_os_error()
        );
        OwnedFd::from_raw_fd(fd)
    };
    // SAFETY: all-zero bytes are a valid address, which outlives the call; the size is its own. The socket needs a port
    // before it can join the group.
    let bound = unsafe {
        let mut address: libc::sockaddr_nl = std::mem::zeroed();
        address.nl_family = libc::sa_family_t::try_from(libc::AF_NETLINK)?;
        let size = libc::socklen_t::try_from(size_of_val(&address))?;
        libc::bind(socket.as_raw_fd(), (&raw const address).cast(), size)
    };
    ensure!(
        bound == 0,
        "bind a netlink socket: {}",
        std::io::Error::last_os_error()
    );
    for (level, name, value) in [
        (libc::SOL_SOCKET, libc::SO_RCVBUF, 1),
        (libc::SOL_NETLINK, BROADCAST_ERROR, 1),
        (libc::SOL_NETLINK, libc::NETLINK_ADD_MEMBERSHIP, DESTROY),
    ] {
        let size = libc::socklen_t::try_from(size_of_val(&value))?;
        // SAFETY: the value outlives the call, and the size is its own.
        let result =
            unsafe { libc::setsockopt(socket.as_raw_fd(), level, name, (&raw const value).cast(), size) };
        ensure!(
            result == 0,
            "set option {name}: {}",
            std::io::Error::last_os_error()
        );
    }
    Ok(socket)
}
