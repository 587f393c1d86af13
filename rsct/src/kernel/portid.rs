//! Which program a netlink port belongs to.

use std::{
    fs,
    os::unix::ffi::OsStrExt as _,
    path::Path,
    time::{Duration, Instant},
};

use super::netlink_sockets;

/// Looks programs up, and remembers the last: changes over netlink tend to come in rows from one.
#[derive(Debug, Default)]
pub struct Programs {
    last: Option<(u32, u64, Option<Vec<u8>>)>,
}

impl Programs {
    /// The name of the program that has a netfilter netlink socket with this port in this process's network namespace,
    /// where that can be told: it may be gone, or live where this process can't see it.
    pub fn name(&mut self, port: u32) -> Option<&[u8]> {
        let table = fs::read_to_string("/proc/net/netlink").ok()?;
        let inode = inode(&table, port)?;
        let is_last = matches!(&self.last, Some((p, i, _)) if (*p, *i) == (port, inode));
        if !is_last {
            self.last = Some((port, inode, owner(port, inode)));
        }
        self.last.as_ref()?.2.as_deref()
    }
}

/// How long an answer about one port holds where it is asked for again and again.
const HOLDS: Duration = Duration::from_millis(100);

/// The same for who asks for every event of a rush: the kernel's table of sockets is read some times a second, not for
/// each. A port that another program takes over meanwhile goes by the old name until then.
#[derive(Debug, Default)]
pub struct RecentPrograms {
    programs: Programs,
    last: Option<(u32, Instant, Option<Vec<u8>>)>,
}

impl RecentPrograms {
    /// As [`Programs::name`].
    pub fn name(&mut self, port: u32) -> Option<&[u8]> {
        let holds = matches!(&self.last, Some((known, at, _)) if *known == port && at.elapsed() < HOLDS);
        if !holds {
            let name = self.programs.name(port).map(<[u8]>::to_vec);
            self.last = Some((port, Instant::now(), name));
        }
        self.last.as_ref()?.2.as_deref()
    }
}

/// The inode of the socket with this port, out of `/proc/net/netlink`.
fn inode(table: &str, port: u32) -> Option<u64> {
    let found = netlink_sockets::all(table).find(|socket| socket.portid == port);
    Some(found?.inode)
}

/// The name of the program that has this socket open. Most have their process's id for a port; after that, every process
/// is looked at.
pub fn owner(port: u32, inode: u64) -> Option<Vec<u8>> {
    name_if_open(port, inode).or_else(|| {
        fs::read_dir("/proc")
            .ok()?
            .flatten()
            .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
            .filter(|pid| *pid > 1 && *pid != port)
            .find_map(|pid| name_if_open(pid, inode))
    })
}

fn name_if_open(pid: u32, inode: u64) -> Option<Vec<u8>> {
    let process = Path::new("/proc").join(pid.to_string());
    let wanted = format!("socket:[{inode}]");
    let is_open = fs::read_dir(process.join("fd")).ok()?.flatten().any(|fd| {
        fs::read_link(fd.path()).is_ok_and(|link| link.as_os_str().as_bytes() == wanted.as_bytes())
    });
    is_open
        .then(|| comm(&fs::read(process.join("stat")).ok()?))
        .flatten()
}

/// The name in `/proc/PID/stat`: what stands in parentheses, up to the first that closes.
fn comm(stat: &[u8]) -> Option<Vec<u8>> {
    let open = stat.iter().position(|byte| *byte == b'(')?;
    let name = stat[open + 1..].split(|byte| *byte == b')').next()?;
    (!name.is_empty()).then(|| name.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "\
sk               Eth Pid        Groups   Rmem     Wmem     Dump  Locks    Drops    Inode
0000000000000000 0   4242       00000000 0        0        0     2        0        11
0000000000000000 12  4242       00000007 0        0        0     2        0        22
0000000000000000 12  4294962872 00000000 0        0        0     2        0        33
";

    #[test]
    fn a_port_has_an_inode() {
        assert_eq!(inode(TABLE, 4242), Some(22));
        assert_eq!(inode(TABLE, 4_294_962_872), Some(33));
        assert_eq!(inode(TABLE, 1), None);
    }

    #[test]
    fn a_process_has_a_name() {
        assert_eq!(comm(b"12 (conntrack) S 1").as_deref(), Some(&b"conntrack"[..]));
        assert_eq!(comm(b"12 () S"), None);
        assert_eq!(comm(b"12"), None);
    }
}
