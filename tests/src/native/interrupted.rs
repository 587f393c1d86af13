//! A signal in the middle of the work: finished work is reported, nothing half done is left, and the exit code has the
//! signal's number.

use std::{
    fmt::Write as _,
    fs,
    io::{Read as _, Write as _},
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, symlink},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::Instant,
};

use anyhow::{Context as _, Result, bail, ensure};

use super::{
    namespace::{Namespace, output, rsct, succeeds},
    save_and_load::Scratch,
};
use crate::{
    bench::table::{
        entries::{self, Subset},
        netlink::Ctnetlink,
    },
    lab::{inside::inside, wait},
};

const ENTRIES: u32 = 30_000;
/// Attempts for a command that may end before the signal.
const TRIES: u32 = 50;

pub fn run() -> Result<()> {
    let namespace = Namespace::new("interrupted")?;
    inside(&namespace.name, "fill", || {
        Ctnetlink::open()?.create(entries::flows(ENTRIES, Subset::All))
    })?;
    let directory = Directory::new()?;
    for (signal, code) in [(libc::SIGTERM, 143), (libc::SIGINT, 130), (libc::SIGHUP, 129)] {
        saving(&namespace, &directory.0, signal, code)?;
    }
    for (line, signal, code) in [
        ("update --set-mark 7", libc::SIGHUP, 129),
        ("delete -f ipv4", libc::SIGTERM, 143),
        ("flush", libc::SIGINT, 130),
    ] {
        sweeping(&namespace, line, signal, code).context(line)?;
    }
    loading(&namespace)?;
    links_owner_and_mode(&namespace, &directory.0)
}

/// An interrupted save leaves the old file unchanged, and no other.
fn saving(namespace: &Namespace, directory: &Path, signal: i32, code: i32) -> Result<()> {
    let file = directory.join("k.save");
    fs::write(&file, "old\n")?;
    for _ in 0..TRIES {
        let mut save = inside(&namespace.name, "save", || {
            let mut command = interruptible();
            command.args(["save", "-O"]).arg(&file).stderr(Stdio::piped());
            command.spawn().context("start rsct save")
        })?;
        let end = Instant::now() + wait::DEADLINE;
        while fs::read_dir(directory)?.count() == 1 && save.try_wait()?.is_none() {
            ensure!(Instant::now() < end, "rsct save makes no file");
        }
        send(&save, signal);
        let ended = save.wait_with_output()?;
        let names: Vec<_> = fs::read_dir(directory)?
            .flatten()
            .map(|entry| entry.file_name())
            .collect();
        ensure!(names == ["k.save"], "other files are left: {names:?}");
        if ended.status.success() {
            fs::write(&file, "old\n")?;
            continue;
        }
        let said = String::from_utf8_lossy(&ended.stderr);
        ensure!(
            ended.status.code() == Some(code) && fs::read_to_string(&file)? == "old\n",
            "{}: {said}",
            ended.status
        );
        return ensure_printed(&ended, "the file is unchanged");
    }
    bail!("rsct save came to its end {TRIES} times before a signal")
}

/// The output is not read until the signal is sent, so that it arrives in the middle.
fn sweeping(namespace: &Namespace, line: &str, signal: i32, code: i32) -> Result<()> {
    let before = count(namespace)?;
    let words: Vec<&str> = line.split(' ').collect();
    let mut sweep = inside(&namespace.name, "sweep", || {
        let mut command = interruptible();
        command.args(&words).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().context("start rsct")
    })?;
    let mut stdout = sweep.stdout.take().context("no pipe")?;
    let mut shown = vec![0];
    stdout.read_exact(&mut shown)?;
    send(&sweep, signal);
    stdout.read_to_end(&mut shown)?;
    let ended = sweep.wait_with_output()?;
    let lines = shown.iter().filter(|byte| **byte == b'\n').count();
    ensure!(
        ended.status.code() == Some(code) && lines > 0 && u32::try_from(lines)? < before,
        "{}, {lines} of {before} entries: {}",
        ended.status,
        String::from_utf8_lossy(&ended.stderr)
    );
    ensure_printed(&ended, &format!("{lines} flow entries have been "))?;
    ensure_printed(&ended, "ended by SIG")?;
    let changed = if line.starts_with("update") {
        let marked = namespace.list(&["-m", "7", "-o", "json"])?;
        u32::try_from(marked.lines().count())?
    } else {
        before - count(namespace)?
    };
    ensure!(
        u32::try_from(lines)? == changed,
        "{lines} shown, {changed} changed"
    );
    Ok(())
}

/// Standard input stays open without more data.
fn loading(namespace: &Namespace) -> Result<()> {
    namespace.sh("conntrack -F")?;
    let mut lines = String::new();
    for port in 1..=1000 {
        writeln!(
            lines,
            "-A -p udp -s 10.0.0.1 -d 10.0.0.2 --sport {port} --dport 2 -t 600"
        )?;
    }
    let mut load = inside(&namespace.name, "load", || {
        let mut command = interruptible();
        command
            .args(["load", "-"])
            .stdin(Stdio::piped())
            .stderr(Stdio::piped());
        command.spawn().context("start rsct load")
    })?;
    let mut stdin = load.stdin.take().context("no pipe")?;
    stdin.write_all(lines.as_bytes())?;
    wait::until("some lines are loaded", || Ok(count(namespace)? > 0))?;
    send(&load, libc::SIGINT);
    let ended = load.wait_with_output()?;
    drop(stdin);
    ensure!(ended.status.code() == Some(130), "{}", ended.status);
    ensure_printed(&ended, &format!("{} created, ", count(namespace)?))?;
    ensure_printed(&ended, "loading -: ended by SIGINT after line ")
}

/// A link stays one, wherever it leads; owner and mode are kept, or the file is not changed.
fn links_owner_and_mode(namespace: &Namespace, directory: &Path) -> Result<()> {
    const USER: u32 = 64321;
    let at = |name: &str| directory.join(name);
    symlink("target", at("link"))?;
    symlink("link", at("link-to-link"))?;
    for _ in 0..2 {
        succeeds(namespace.rsct(&["save", "-O"]).arg(at("link-to-link")))?;
        let target = fs::symlink_metadata(at("target")).context("the link's target is not there")?;
        ensure!(
            at("link").is_symlink()
                && at("link-to-link").is_symlink()
                && target.is_file()
                && target.len() > 0,
            "a link is replaced, or its target is not"
        );
    }

    fs::set_permissions(at("target"), fs::Permissions::from_mode(0o640))?;
    chown(at("target"), Some(USER), Some(USER))?;
    succeeds(namespace.rsct(&["save", "-O"]).arg(at("target")))?;
    let kept = fs::metadata(at("target"))?;
    ensure!(
        (kept.uid(), kept.gid(), kept.mode() & 0o7777) == (USER, USER, 0o640),
        "owner and mode are {}:{} {:o}",
        kept.uid(),
        kept.gid(),
        kept.mode()
    );

    chown(at("target"), Some(0), Some(0))?;
    fs::write(at("target"), "old\n")?;
    fs::set_permissions(directory, fs::Permissions::from_mode(0o777))?;
    let mut user = namespace.command("setpriv", &["--reuid=64321", "--regid=64321", "--clear-groups"]);
    user.args(["--inh-caps=+net_admin", "--ambient-caps=+net_admin", "--"]);
    let refused = output(user.arg(rsct()).args(["save", "-O"]).arg(at("target")))?;
    ensure!(refused.status.code() == Some(1), "{refused:?}");
    ensure_printed(&refused, "keeping its owner 0 and group 0")?;
    let names = fs::read_dir(directory)?.count();
    ensure!(
        fs::read_to_string(at("target"))? == "old\n" && names == 4,
        "{names} files, or the target is another"
    );
    Ok(())
}

/// rsct with default signals: these tests may run with signals ignored, as a shell does in the background.
fn interruptible() -> Command {
    let mut command = Command::new("env");
    command.arg("--default-signal=INT,TERM,HUP").arg(rsct());
    command
}

fn ensure_printed(output: &Output, sentence: &str) -> Result<()> {
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(said.contains(sentence), "no {sentence:?} in:\n{said}");
    Ok(())
}

fn send(child: &Child, signal: i32) {
    // SAFETY: the process is a child that has not been waited for.
    unsafe { libc::kill(child.id().cast_signed(), signal) };
}

fn count(namespace: &Namespace) -> Result<u32> {
    Ok(namespace.sh("conntrack -C")?.trim().parse()?)
}

/// A directory that is removed on drop with all its content.
struct Directory(PathBuf);

impl Directory {
    fn new() -> Result<Self> {
        let path = Scratch::new("interrupted")?.0.clone();
        fs::create_dir(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
