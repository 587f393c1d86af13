//! Finds the program that owns a netlink port.

use std::{
    fs,
    os::unix::ffi::OsStrExt as _,
    path::Path,
    time::{Duration, Instant},
};

use super::{helper, netlink_sockets};

/// Looks up programs and caches the last one: changes over netlink often come in series from one program.
#[derive(Debug, Default)]
pub(crate) struct Programs {
    last: Option<(u32, u64, Option<Vec<u8>>)>,
}

impl Programs {
    /// Name of the program that owns the netfilter netlink socket with this port in this process's network
    /// namespace. `None` if it has exited or is not visible to this process.
    pub(crate) fn name(&mut self, port: u32) -> Option<&[u8]> {
        let table = fs::read_to_string("/proc/net/netlink").ok()?;
        let inode = inode(&table, port)?;
        let is_last = matches!(&self.last, Some((p, i, _)) if (*p, *i) == (port, inode));
        if !is_last {
            self.last = Some((port, inode, owner(port, inode)));
        }
        self.last.as_ref()?.2.as_deref()
    }
}

/// Lifetime of a cached result for one port.
const CACHE_TIME: Duration = Duration::from_millis(100);

/// Like [`Programs`], for callers with many events: it reads the kernel's socket table a few times per
/// second, not once per event. If another program takes over a port, the old name is reported until the
/// cached result expires.
#[derive(Debug, Default)]
pub(crate) struct RecentPrograms {
    programs: Programs,
    last: Option<(u32, Instant, Option<Vec<u8>>)>,
}

impl RecentPrograms {
    /// As [`Programs::name`].
    pub(crate) fn name(&mut self, port: u32) -> Option<&[u8]> {
        let is_fresh =
            matches!(&self.last, Some((known, at, _)) if *known == port && at.elapsed() < CACHE_TIME);
        if !is_fresh {
            let name = self.programs.name(port).map(<[u8]>::to_vec);
            self.last = Some((port, Instant::now(), name));
        }
        self.last.as_ref()?.2.as_deref()
    }
}

/// The inode of the socket with this port, from `/proc/net/netlink`.
fn inode(table: &str, port: u32) -> Option<u64> {
    let found = netlink_sockets::all(table).find(|socket| socket.portid == port);
    Some(found?.inode)
}

/// Name of the program that has this socket open. Tries the process whose id is the port first, which is
/// usual, then every process.
pub(crate) fn owner(port: u32, inode: u64) -> Option<Vec<u8>> {
    if let Some(owner) = helper::owner(port, inode) {
        return owner;
    }
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

/// The name in `/proc/PID/stat`: the text in parentheses, up to the first closing one.
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
    fn a_ports_inode_is_found() {
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
