//! Two network namespaces joined by a veth pair, with conntrack active in both while a scenario runs.

pub mod clash;
pub mod counters;
pub mod ftp;
pub mod injected;
pub mod inside;
pub mod json;
pub mod landlock;
pub mod latency;
pub mod limit;
pub mod line;
pub mod listener;
pub mod metrics;
pub mod nfnetlink;
pub mod process;
pub mod programs;
pub mod queue;
pub mod raw;
pub mod recorder;
pub mod recording;
mod routers;
pub mod tmux;
pub mod trace;
pub mod traffic;
pub mod undisturbed;
pub mod user;
pub mod wait;
pub mod why;

use std::os::unix::fs::MetadataExt as _;

use anyhow::{Context as _, Result};

use crate::native::namespace::{Namespace, succeeds};

pub use self::{line::Line, recording::Recording, routers::Routers, trace::Trace, why::Why};

/// The server's address.
pub const SERVER: &str = "192.168.34.11";
/// The client's address.
pub const CLIENT: &str = "192.168.34.12";
/// The server's IPv6 address.
pub const SERVER_V6: &str = "fd34::11";
/// The client's IPv6 address.
pub const CLIENT_V6: &str = "fd34::12";

/// A rule that matches the state enables conntrack in its namespace.
const RULES: &str = "
    table inet lab {
        chain input { type filter hook input priority 0; ct state established,related accept; }
        chain output { type filter hook output priority 0; ct state established,related accept; }
    }
";

/// A server and a client, one hop apart.
pub struct Lab {
    /// 192.168.34.11 and fd34::11.
    pub server: Namespace,
    /// 192.168.34.12 and fd34::12.
    pub client: Namespace,
}

impl Lab {
    /// Builds one; scenarios may have several at a time.
    pub fn new() -> Result<Self> {
        Self::of(Namespace::new("server")?, Namespace::new("client")?)
    }

    /// Builds one whose namespaces have these names, for people to type.
    pub fn called(server: &str, client: &str) -> Result<Self> {
        Self::of(Namespace::called(server)?, Namespace::called(client)?)
    }

    fn of(server: Namespace, client: Namespace) -> Result<Self> {
        let lab = Self { server, client };
        for (namespace, v4, v6) in [(&lab.server, SERVER, SERVER_V6), (&lab.client, CLIENT, CLIENT_V6)] {
            let pair = match namespace.name == lab.server.name {
                true => format!("link add eth0 type veth peer name eth0 netns {}", lab.client.name),
                false => String::new(),
            };
            namespace.ip(&format!(
                "{pair}
                link set lo up
                addr add {v4}/24 dev eth0
                addr add {v6}/64 dev eth0 nodad
                link set eth0 up"
            ))?;
            namespace.nft(RULES)?;
        }
        for namespace in [&lab.server, &lab.client] {
            wait::until("the veth pair is up", || {
                let link = succeeds(&mut namespace.command("ip", &["-o", "link", "show", "eth0"]))?;
                Ok(link.contains(" state UP "))
            })?;
        }
        Ok(lab)
    }

    /// Disables IPv6, whose neighbour discovery would add lines to a trace.
    pub fn without_ipv6(self) -> Result<Self> {
        for namespace in [&self.server, &self.client] {
            namespace.sysctl("net/ipv6/conf/all/disable_ipv6", "1")?;
        }
        Ok(self)
    }

    /// Keeps UDP entries without replies for as long as a scenario may last on a busy host, instead of 30 seconds.
    pub fn with_lasting_udp(self) -> Result<Self> {
        for namespace in [&self.server, &self.client] {
            namespace.sysctl("net/netfilter/nf_conntrack_udp_timeout", "600")?;
        }
        Ok(self)
    }

    /// Runs `act` on the server: sockets opened there belong to the server, wherever they are used.
    pub fn on_server<T: Send>(&self, act: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        inside::inside(&self.server.name, "server", act)
    }

    /// Runs `act` on the client.
    pub fn on_client<T: Send>(&self, act: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        inside::inside(&self.client.name, "client", act)
    }
}

/// The namespace's inode number, by which traces name it.
pub fn inode(namespace: &Namespace) -> Result<i64> {
    let path = format!("/run/netns/{}", namespace.name);
    let meta = std::fs::metadata(&path).with_context(|| format!("look at {path}"))?;
    i64::try_from(meta.ino()).context("an inode number")
}
