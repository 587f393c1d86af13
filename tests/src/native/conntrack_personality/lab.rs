//! The environment of the two tools: a namespace, seen with label names of its own in `/etc`.

use std::{
    cell::Cell,
    fs,
    io::{BufRead as _, BufReader, Write as _},
    os::unix::fs::symlink,
    path::PathBuf,
    process::{Child, Command, Output, Stdio},
    thread,
};

use anyhow::{Context as _, Result, ensure};

use super::{
    grid,
    normal::{self, Tables},
};
use crate::native::namespace::{self, Namespace, output, succeeds};

/// Names of labels, for both tools.
const LABELS: &str = "# names\n3\toffice\n64 night shift\n7 lab\n0x40 dup\n100 far\n";
/// Entries of the tables.
const ENTRIES: &str = include_str!("entries.txt");

/// One of the two tools.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum ConntrackTool {
    /// The original.
    Conntrack,
    /// rsct under that name.
    Rsct,
}

/// A directory with rsct called `conntrack` in it, and a process that keeps an `/etc` with label names.
pub struct ConntrackLab {
    dir: PathBuf,
    etc: Option<Child>,
    conntrack: PathBuf,
    lost_step: Cell<bool>,
}

impl ConntrackLab {
    /// Makes one.
    pub fn new() -> Result<Self> {
        let conntrack = succeeds(Command::new("sh").args(["-c", "command -v conntrack"]))?;
        let dir = std::env::temp_dir().join(format!("rsct-as-conntrack-{}", std::process::id()));
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(&dir)?;
        symlink(fs::canonicalize(namespace::rsct())?, dir.join("conntrack"))?;
        Ok(Self {
            dir,
            etc: None,
            conntrack: conntrack.trim().into(),
            lost_step: Cell::new(false),
        })
    }

    /// Adds label names.
    pub fn with_labels(mut self) -> Result<Self> {
        let etc = self.dir.join("etc");
        succeeds(Command::new("cp").arg("-a").arg("/etc").arg(&etc))?;
        fs::create_dir_all(etc.join("xtables"))?;
        fs::write(etc.join("xtables/connlabel.conf"), LABELS)?;
        let script = "mount --bind \"$0\" /etc && echo ready && exec sleep 600";
        let mut child = Command::new("unshare")
            .args(["-m", "sh", "-c", script])
            .arg(&etc)
            .stdout(Stdio::piped())
            .spawn()
            .context("start unshare")?;
        let mut said = String::new();
        let stdout = child.stdout.take().context("no output of unshare")?;
        BufReader::new(stdout).read_line(&mut said)?;
        self.etc = Some(child);
        ensure!(said == "ready\n", "no /etc of its own: {said:?}");
        Ok(self)
    }

    /// A path in its directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// Path of a tool's program.
    pub fn program(&self, tool: ConntrackTool) -> PathBuf {
        match tool {
            ConntrackTool::Conntrack => self.conntrack.clone(),
            ConntrackTool::Rsct => self.dir.join("conntrack"),
        }
    }

    /// A command line of a tool, to be run in a namespace.
    pub fn command(&self, tool: ConntrackTool, namespace: &Namespace, words: &[String]) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net=/run/netns/{}", namespace.name));
        if let Some(etc) = &self.etc {
            command.arg(format!("--mount=/proc/{}/ns/mnt", etc.id()));
        }
        command.arg("--").arg(self.program(tool)).args(words);
        command
    }

    /// Fills a namespace: entries, labels, NAT, accounting, timestamps, and traffic.
    pub fn fill(&self, role: &str) -> Result<Namespace> {
        let namespace = Namespace::new(role)?;
        namespace.sh("
            sysctl -qw net.netfilter.nf_conntrack_acct=1 net.netfilter.nf_conntrack_timestamp=1
            ip link set lo up
            iptables -t raw -A OUTPUT -p udp --dport 69 -j CT --helper tftp || true
            iptables -A OUTPUT -m connlabel --label 3 --set
            iptables -A OUTPUT -m connlabel --label 64 --set
        ")?;
        self.refill(&namespace)?;
        Ok(namespace)
    }

    /// Empties a namespace and fills it anew.
    pub fn refill(&self, namespace: &Namespace) -> Result<()> {
        let path = self.path(&format!("fill-{}", namespace.name));
        let mut file = fs::File::create(&path)?;
        writeln!(file, "-F")?;
        for line in grid::lines(ENTRIES) {
            writeln!(file, "-I {line}")?;
        }
        let words = ["-R".to_owned(), path.display().to_string()];
        succeeds(&mut self.command(ConntrackTool::Conntrack, namespace, &words))?;
        // The ports have no listener; the port unreachable that is returned does not end the entries.
        let made = namespace.sh("
            bash -c 'echo x > /dev/udp/127.0.0.1/9; echo x > /dev/udp/127.0.0.1/69' || true
            # They don't go while they are compared.
            conntrack -U -f ipv4 -s 127.0.0.1 -t 3000 > /dev/null 2>&1 || true
            conntrack -U -f ipv4 -s 127.0.0.1 -p udp --dport 69 -t 3000 > /dev/null 2>&1 || true
        ");
        made.map(drop)
    }

    /// Runs both tools, each in its namespace, at once.
    pub fn both(&self, namespaces: [&Namespace; 2], words: &[String]) -> Result<[Output; 2]> {
        let mut theirs = self.command(ConntrackTool::Conntrack, namespaces[0], words);
        let mut ours = self.command(ConntrackTool::Rsct, namespaces[1], words);
        thread::scope(|scope| {
            let theirs = scope.spawn(move || output(&mut theirs));
            let ours = output(&mut ours)?;
            let theirs = theirs
                .join()
                .map_err(|_| anyhow::anyhow!("a thread panicked"))??;
            Ok([theirs, ours])
        })
    }

    /// Returns whether conntrack lost step with the kernel since the last call. It numbers its requests by the clock's
    /// seconds, and where a second ends within a command line that makes several requests, it may drop the answer to
    /// one. Such a run cannot be compared.
    pub fn has_lost_step(&self) -> bool {
        self.lost_step.take()
    }

    /// Runs both and compares their output.
    pub fn same(&self, namespaces: [&Namespace; 2], words: &[String], tables: Tables) -> Result<()> {
        let outputs = self.both(namespaces, words)?;
        let [theirs, ours] = outputs.map(|output| self.normalised(&output, tables));
        same(&theirs, &ours)
    }

    /// Output and exit status of a run, without the parts that may differ.
    pub fn normalised(&self, output: &Output, tables: Tables) -> [String; 3] {
        if String::from_utf8_lossy(&output.stderr).contains("Operation failed: Protocol error") {
            self.lost_step.set(true);
        }
        let text = |bytes: &[u8]| {
            let mut text = String::from_utf8_lossy(bytes).into_owned();
            for program in [ConntrackTool::Rsct, ConntrackTool::Conntrack].map(|tool| self.program(tool)) {
                text = text.replace(&program.display().to_string(), "conntrack");
            }
            normal::output(&text, tables)
        };
        [
            text(&output.stdout),
            text(&output.stderr),
            output.status.to_string(),
        ]
    }
}

impl Drop for ConntrackLab {
    fn drop(&mut self) {
        if let Some(etc) = &mut self.etc {
            let _ = etc.kill();
            let _ = etc.wait();
        }
        let _ = fs::remove_dir_all(&self.dir);
    }
}

/// Compares two runs and shows both where they differ.
pub fn same(theirs: &[String; 3], ours: &[String; 3]) -> Result<()> {
    grid::same(&["stdout", "stderr", "exit code"], theirs, ours)
}
