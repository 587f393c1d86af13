//! The machine on which the documented commands make sense, and its former state when they have run.

use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result};

use super::{
    entries::{self, Wanted},
    parser::Documented,
};
use crate::{
    lab::{CLIENT, Lab, Routers, SERVER, limit, limit::Limit, listener, listener::Listener},
    native::namespace::{Namespace, rsct, succeeds},
};

/// An address that a rule of the server translates to its own.
pub const PUBLIC: &str = "203.0.113.80";
/// The server's TCP port.
pub const TCP_PORT: u16 = 8080;
/// A port whose segments a rule of the server drops.
pub const DROPPED: u16 = 81;
/// A port whose entries `conntrack` deletes.
pub const DELETED: u16 = 9999;
/// A port whose packets a rule of the server assigns to a zone.
const ZONED: u16 = 9100;
/// Settings of conntrack, which commands change.
const SYSCTLS: &str = "/proc/sys/net/netfilter";
/// Directories of a Debian system that pages name and a guest lacks.
const DIRECTORIES: [&str; 3] = ["/usr/local/sbin", "/usr/local/share/man/man1", "/etc/sysctl.d"];
/// Files that documented commands write outside the stage's own directory.
const WRITTEN: [&str; 4] = [
    "/usr/local/sbin/rsct",
    "/usr/local/sbin/conntrack",
    "/usr/local/sbin/nfct",
    "/etc/sysctl.d/90-rsct-timeouts.conf",
];

/// The initial namespace, which commands without `--netns` are about, with its entries and rules; the namespaces that pages
/// name; and a directory with the programs.
pub struct Stage {
    /// Namespaces `server` and `client`.
    pub lab: Lab,
    /// Namespaces `router-a` and `router-b`, and one at either end.
    pub routers: Routers,
    /// Conditions on the entries of the commands.
    pub wanted: BTreeSet<Wanted>,
    /// Current directory of the commands.
    pub directory: PathBuf,
    /// A listener that loses events.
    _listener: Listener,
    sysctls: Vec<(PathBuf, String)>,
    // Dropped first on failure of a later step, too.
    _clean: Clean,
}

/// Removes what setting up and the commands leave.
struct Clean(PathBuf);

impl Stage {
    /// Sets everything up.
    pub fn new(commands: &[Documented]) -> Result<Self> {
        let directory = std::env::temp_dir().join(format!("rsct-documents-{}", std::process::id()));
        let clean = Clean(directory.clone());
        succeeds(Command::new("modprobe").args(["-a", "nf_conntrack", "nf_conntrack_netlink"]))?;
        let sysctls = sysctls()?;
        let lab = Lab::called("server", "client")?.without_ipv6()?;
        rules(&lab)?;
        let routers = Routers::new(
            Namespace::new("router-client")?,
            Namespace::called("router-a")?,
            Namespace::called("router-b")?,
            Namespace::new("router-server")?,
        )?;
        let wanted = entries::wanted(commands);
        files(&directory, &entries::table(&wanted))?;
        let stage = Self {
            _listener: Listener::open(&lab.server, &[listener::NEW], false)?,
            lab,
            routers,
            wanted,
            directory,
            sysctls,
            _clean: clean,
        };
        stage.sh("nft -f - <<RULES
            table inet documents {
                chain input { type filter hook input priority 0; ct state established,related accept; }
            }
RULES
            rsct install-links bin >/dev/null")?;
        stage.load()?;
        stage.sh("rsct save -O table.save")?;
        // Long enough for the programs of causes to be attached.
        stage.sh("rsct record -O fault.rsct --duration 20s 2>&1")?;
        stage.sh("ln fault.rsct before.rsct; ln fault.rsct after.rsct")?;
        stage.fill()?;
        Ok(stage)
    }

    /// A shell command line in the stage's directory, with rsct, `conntrack` and `nfct` of this build first in PATH.
    pub fn shell(&self, line: &str) -> Command {
        let mut shell = Command::new("sh");
        let path = std::env::var("PATH").unwrap_or_default();
        shell
            .args(["-c", line])
            .current_dir(&self.directory)
            .env("PATH", format!("{}/bin:{path}", self.directory.display()));
        shell
    }

    /// Runs a command line that must succeed.
    pub fn sh(&self, line: &str) -> Result<String> {
        succeeds(&mut self.shell(line))
    }

    /// Creates the entries that are missing.
    fn load(&self) -> Result<()> {
        self.sh("rsct load entries >/dev/null")?;
        Ok(())
    }

    /// Restores the entries if the command line may have deleted some.
    pub fn restore(&self, line: &str) -> Result<()> {
        let deletes = [" delete ", " flush", "-D", "-F"]
            .iter()
            .any(|verb| line.contains(verb));
        if deletes { self.load() } else { Ok(()) }
    }

    /// Prepares the policy that the command line names, which other commands may have changed.
    pub fn prepare(&self, line: &str) -> Result<()> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let policy = match words[..] {
            [
                "rsct",
                "timeout",
                verb @ ("attach" | "detach" | "rules"),
                name,
                ..,
            ] => Some((verb, name)),
            ["rsct", "timeout", "policy", verb, name, ..] if verb != "list" => Some((verb, name)),
            ["rsct", "timeout", "policy", "list", ..] | ["rsct", "timeout", "rules"] => {
                Some(("rules", "udp-policy1"))
            }
            _ => None,
        };
        let Some((verb, name)) = policy else {
            return Ok(());
        };
        let absent = format!("rsct timeout detach {name}; rsct timeout policy delete {name}");
        let proto = if name == "web" {
            "tcp established"
        } else {
            "udp replied"
        };
        let exists = format!("rsct timeout policy add {name} inet {proto}=300");
        let script = match verb {
            "add" => absent,
            "attach" => format!("{absent}; {exists}"),
            "detach" | "rules" => format!("{exists}; rsct timeout attach {name} --dport 53"),
            "delete" => format!("{exists}; rsct timeout detach {name}"),
            _ => exists,
        };
        // Each may find it so already.
        self.sh(&format!("{{ {script}; }} >/dev/null 2>&1; true"))?;
        Ok(())
    }

    /// Fills the table for a moment, which the kernel writes to its log.
    fn fill(&self) -> Result<()> {
        let _limit = Limit::set(limit::MAX, 1)?;
        let socket = std::net::UdpSocket::bind("127.0.0.1:0")?;
        for port in 9200..9208 {
            // The kernel drops it.
            let _ = socket.send_to(b"full", ("127.0.0.1", port));
        }
        Ok(())
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        for (path, value) in &self.sysctls {
            if fs::read_to_string(path).ok().as_ref() != Some(value) {
                let _ = fs::write(path, value);
            }
        }
    }
}

impl Drop for Clean {
    fn drop(&mut self) {
        let _ = Command::new("sh")
            .args([
                "-c",
                "nft delete table inet documents; nft delete table ip rsct; iptables -t raw -F
                nfct flush timeout; conntrack -F; conntrack -F expect",
            ])
            .output();
        for path in WRITTEN {
            let _ = fs::remove_file(path);
        }
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The values of all settings, to be restored.
fn sysctls() -> Result<Vec<(PathBuf, String)>> {
    let mut values = Vec::new();
    for entry in fs::read_dir(SYSCTLS).context("list conntrack's sysctls")? {
        let path = entry?.path();
        if let Ok(value) = fs::read_to_string(&path) {
            values.push((path, value));
        }
    }
    values.push((limit::BUCKETS.into(), fs::read_to_string(limit::BUCKETS)?));
    Ok(values)
}

/// Rules of the server, and an entry whose timeout is fixed.
fn rules(lab: &Lab) -> Result<()> {
    lab.client.sh(&format!("ip route add {PUBLIC}/32 via {SERVER}"))?;
    lab.server.sh(&format!(
        "nft -f - <<RULES
        table inet documents {{
            chain zone {{ type filter hook prerouting priority raw; udp dport {ZONED} ct zone set 7; }}
            chain input {{ type filter hook input priority 0; ip saddr {CLIENT} tcp dport {DROPPED} drop; }}
        }}
        table ip documents {{
            chain prerouting {{
                type nat hook prerouting priority dstnat
                ip daddr {PUBLIC} tcp dport 80 dnat to {SERVER}:{TCP_PORT}
            }}
        }}
RULES"
    ))?;
    lab.server
        .create("-p udp -s 10.0.0.1 -d 10.0.0.2 --sport 1 --dport 8003 -t 6000 -u FIXED_TIMEOUT")
}

/// The stage's directory: the programs, as a build leaves them too, and files for `load`.
fn files(directory: &Path, table: &str) -> Result<()> {
    let built = directory.join("target/x86_64-unknown-linux-musl/release");
    for made in [&directory.join("bin"), &built]
        .into_iter()
        .map(PathBuf::as_path)
        .chain(DIRECTORIES.map(Path::new))
    {
        fs::create_dir_all(made).with_context(|| format!("create {}", made.display()))?;
    }
    let program = fs::canonicalize(rsct()).context("find rsct")?;
    for directory in [directory.join("bin"), built] {
        symlink(&program, directory.join("rsct"))?;
    }
    fs::write(directory.join("entries"), table)?;
    Ok(())
}
