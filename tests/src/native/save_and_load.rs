//! `rsct load` and `conntrack -R` make the same table of the output of `rsct save`; `rsct load` also makes it of the
//! output of `conntrack -o save`.

use std::{path::PathBuf, time::Instant};

use anyhow::{Context as _, Result, ensure};

use super::{
    namespace::{Namespace, output, succeeds},
    table::{ENTRIES, same_since},
};

pub fn run() -> Result<()> {
    let namespace = Namespace::new("save")?;
    // Labels are kept where a rule uses them.
    namespace.sh("iptables -A OUTPUT -m connlabel --label 3 --set")?;
    agree(&namespace)?;
    labels(&namespace)?;
    of_a_flowtable(&namespace)?;
    whole_or_not_at_all(&namespace)
}

/// Checks that every combination of saving and loading results in the same table.
pub fn agree(namespace: &Namespace) -> Result<()> {
    namespace.create(ENTRIES)?;
    let file = Scratch::new("table")?;
    let path = file.path();
    let rsct = super::namespace::rsct().display().to_string();
    there_and_back(
        namespace,
        &format!("{rsct} save -O {path}"),
        &format!("{rsct} load {path}"),
    )?;
    // Loaded once more, all entries exist already, which -A allows.
    there_and_back(
        namespace,
        &format!("{rsct} list -o save > {path}"),
        &format!("{rsct} load - < {path}; {rsct} load {path}"),
    )?;
    // conntrack does not load its own saved lines of protocols for which the kernel has no handler.
    namespace.sh("conntrack -D -p dccp; conntrack -D -p udplite")?;
    there_and_back(
        namespace,
        &format!("{rsct} save > {path}"),
        &format!("conntrack -R {path}"),
    )?;
    // It loses marks.
    namespace.sh(&format!("{rsct} update -q --set-mark 0"))?;
    there_and_back(
        namespace,
        &format!("conntrack -L -o save > {path}"),
        &format!("{rsct} load {path}"),
    )
}

fn there_and_back(namespace: &Namespace, save: &str, load: &str) -> Result<()> {
    let begun = Instant::now();
    let before = namespace.conntrack(&[])?;
    namespace.sh(save)?;
    namespace.sh("conntrack -F")?;
    namespace.sh(load)?;
    same_since(begun, &namespace.conntrack(&[])?, &before).with_context(|| format!("{save}; {load}"))
}

fn script(line: &str) -> String {
    line.replace("$RSCT", &super::namespace::rsct().display().to_string())
}

/// Labels, which conntrack loses, are saved.
fn labels(namespace: &Namespace) -> Result<()> {
    namespace.sh("conntrack -F")?;
    let made = "create -p udp -s 10.0.0.1 -d 10.0.0.2 --sport 1 --dport 2 -t 999 -m 7 -l 3,64";
    let made: Vec<&str> = made.split(' ').collect();
    succeeds(&mut namespace.rsct(&made))?;
    let saved = succeeds(&mut namespace.rsct(&["save"]))?;
    namespace.sh("conntrack -F")?;
    namespace.sh(&script(&format!("$RSCT load - <<END\n{saved}END")))?;
    let listed = namespace.list(&["-o", "json"])?;
    ensure!(
        listed.contains("\"labels\":[3,64]") && listed.contains("\"mark\":7"),
        "{listed}"
    );
    Ok(())
}

/// The kernel shows neither the timeout nor TCP's state of a flow in a flowtable, so saved lines have none: rsct load
/// uses the namespace's defaults.
fn of_a_flowtable(namespace: &Namespace) -> Result<()> {
    namespace.sh("
        conntrack -F
        sysctl -qw net.netfilter.nf_conntrack_tcp_timeout_established=7000
        sysctl -qw net.netfilter.nf_conntrack_udp_timeout_stream=800
        sysctl -qw net.netfilter.nf_conntrack_udp_timeout=600
    ")?;
    let ends = "-s 10.0.0.1 -d 10.0.0.2 -r 10.0.0.2 -q 10.0.0.1";
    let ports = "--sport 1 --dport 2 --reply-port-src 2 --reply-port-dst 1";
    let saved = format!(
        "-A -u SEEN_REPLY,ASSURED {ends} -p tcp {ports}\n-A -u SEEN_REPLY,ASSURED {ends} -p udp {ports}\n-A -u \
         UNSET -w 5 {ends} -p udp {ports}\n-A -t 900 -u UNSET -w 6 {ends} -p udp {ports}\n"
    );
    let file = Scratch::new("flowtable")?;
    std::fs::write(&file.0, saved)?;
    let begun = Instant::now();
    for (options, verb) in [(&["--dry-run"][..], "would be filled in"), (&[], "filled in")] {
        let loaded = output(&mut namespace.rsct(&[&["load", &file.path()], options].concat()))?;
        let said = String::from_utf8(loaded.stderr)?;
        let told = format!(
            "rsct: 3 lines without a timeout (the kernel sends none for a flow in a flowtable): the \
                            state's timeout {verb}"
        );
        ensure!(loaded.status.success() && said.contains(&told), "{said}");
    }
    let listed = namespace.conntrack(&[])?;
    let apart = 2 + begun.elapsed().as_secs();
    for (words, timeout) in [
        (["tcp ", "ESTABLISHED"], 7000),
        (["udp ", "[ASSURED]"], 800),
        (["udp ", "zone=5"], 600),
        (["udp ", "zone=6"], 900),
    ] {
        let line = listed
            .lines()
            .find(|line| words.iter().all(|word| line.contains(word)));
        let line = line.with_context(|| format!("no {words:?} in\n{listed}"))?;
        let left: u64 = line.split_whitespace().nth(2).context("a timeout")?.parse()?;
        ensure!(left <= timeout && left + apart >= timeout, "{line}");
    }
    Ok(())
}

/// An error leaves the old file; only its content is replaced, so a link stays one.
fn whole_or_not_at_all(namespace: &Namespace) -> Result<()> {
    let file = Scratch::new("whole")?;
    std::fs::write(&file.0, "old\n")?;
    let failed = output(&mut namespace.rsct(&["save", "-O", &file.path(), "--netns", "rsct-no-such"]))?;
    ensure!(failed.status.code() == Some(1), "{failed:?}");
    ensure!(
        std::fs::read_to_string(&file.0)? == "old\n",
        "the old file is deleted"
    );
    let full = output(&mut namespace.rsct(&["save", "-O", "/dev/full"]))?;
    let said = String::from_utf8_lossy(&full.stderr);
    ensure!(
        full.status.code() == Some(1) && said.starts_with("rsct: writing /dev/full: No space left"),
        "{full:?}"
    );
    let link = Scratch::new("link")?;
    std::os::unix::fs::symlink(&file.0, &link.0)?;
    succeeds(&mut namespace.rsct(&["save", "-O", &link.path()]))?;
    ensure!(
        link.0.is_symlink() && std::fs::read_to_string(&file.0)?.starts_with("-A "),
        "a link is replaced, or its file is not"
    );
    let name = file
        .0
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let others = std::fs::read_dir(std::env::temp_dir())?
        .flatten()
        .filter(|entry| {
            entry
                .file_name()
                .to_string_lossy()
                .starts_with(&format!(".{name}"))
        })
        .count();
    ensure!(others == 0, "{others} more files are left next to {name}");
    Ok(())
}

/// A path for a file that is removed on drop.
pub struct Scratch(pub PathBuf);

impl Scratch {
    /// One that ends in `role`.
    pub fn new(role: &str) -> Result<Self> {
        let path = std::env::temp_dir().join(format!("rsct-{}-{role}", std::process::id()));
        Ok(Self(path))
    }

    /// Its path as text.
    pub fn path(&self) -> String {
        self.0.display().to_string()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}
