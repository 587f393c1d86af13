//! `--netns all` covers each namespace that is referenced in any form, and `--netns` opens it by its path and by its
//! inode number.

use std::{
    fs::{self, File},
    io::{BufRead as _, BufReader},
    os::{fd::AsRawFd as _, unix::fs::MetadataExt as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio, id},
    sync::mpsc::{Receiver, Sender, channel},
    thread::JoinHandle,
};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::namespace::{Namespace, rsct, succeeds};
use crate::sentence::one_sentence;

pub fn run() -> Result<()> {
    let holders: [(&str, Box<dyn Holder>); 6] = [
        ("a mount", Box::new(Mounted::new()?)),
        (
            "a mount in another mount namespace",
            Box::new(MountedElsewhere::new()?),
        ),
        ("a thread", Box::new(Threaded::new(false)?)),
        ("an open file", Box::new(OpenFile(fresh()?))),
        (
            "a file that was opened through a mount that no longer exists",
            Box::new(Detached::new()?),
        ),
        (
            "a file of a thread with files of its own",
            Box::new(Threaded::new(true)?),
        ),
    ];
    for (number, (_, holder)) in (1..).zip(&holders) {
        let entry = format!("-p udp -s 10.77.0.{number} -d 10.78.0.1 --sport 1 --dport 2 -t 300");
        let mut enter = Command::new("nsenter");
        enter.arg(format!("--net={}", holder.path().display()));
        succeeds(enter.arg("conntrack").arg("-I").args(entry.split(' ')))?;
    }

    let all =
        succeeds(Command::new(rsct()).args(["list", "--netns", "all", "-d", "10.78.0.1", "-o", "json"]))?;
    let objects: Vec<Value> = all.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    for (number, (what, holder)) in (1..).zip(&holders) {
        let src = format!("10.77.0.{number}");
        let found = objects
            .iter()
            .find(|object| object["orig"]["src"] == src.as_str());
        let found =
            found.with_context(|| format!("a namespace that only {what} leads to is missing:\n{all}"))?;
        let inode = fs::metadata(holder.path())?.ino();
        ensure!(found["netns"] == inode, "{what}: {found}");
        let path = holder.path().display().to_string();
        for netns in [path, inode.to_string(), format!("net:[{inode}]")] {
            let one = succeeds(Command::new(rsct()).args(["list", "--netns", &netns]))?;
            ensure!(
                one.lines().count() == 1 && one.contains(&src),
                "{what}, --netns {netns}:\n{one}"
            );
        }
    }
    let mount = holders[0].1.path().display().to_string();
    ensure!(
        objects
            .iter()
            .any(|object| object["netns_name"] == mount.as_str()),
        "{all}"
    );

    // `all` leaves no entry.
    succeeds(Command::new(rsct()).args(["delete", "--netns", "all", "-d", "10.78.0.1"]))?;
    let left = succeeds(Command::new(rsct()).args(["count", "--netns", "all", "-d", "10.78.0.1"]))?;
    ensure!(left.lines().all(|line| line.ends_with(" 0")), "{left}");

    for (netns, sentence) in [
        (
            "4026999999",
            "no visible process, mount or open file refers to this inode number",
        ),
        (
            "net:[4026999999]",
            "no visible process, mount or open file refers to this inode number",
        ),
        ("/etc/passwd", "this is an ordinary file, not a namespace"),
        ("/proc/self/ns/uts", "a namespace of another type"),
        (
            "/no/such/file",
            "opening network namespace /no/such/file: No such file",
        ),
    ] {
        one_sentence(Command::new(rsct()).args(["list", "--netns", netns]), 1, sentence)?;
    }
    Ok(())
}

/// A reference that keeps a namespace alive.
trait Holder {
    /// A path that leads to it.
    fn path(&self) -> PathBuf;
}

/// A namespace that is held by an open file of this process alone.
struct OpenFile(File);

impl Holder for OpenFile {
    fn path(&self) -> PathBuf {
        format!("/proc/{}/fd/{}", id(), self.0.as_raw_fd()).into()
    }
}

/// Makes a namespace on a thread that ends.
fn fresh() -> Result<File> {
    let made = std::thread::spawn(|| {
        unshare(libc::CLONE_NEWNET)?;
        File::open("/proc/thread-self/ns/net").context("open the new namespace")
    });
    made.join().expect("the thread does not panic")
}

fn unshare(flags: libc::c_int) -> Result<()> {
    // SAFETY: unshare has no pointer arguments and changes the calling thread alone.
    let result = unsafe { libc::unshare(flags) };
    ensure!(result == 0, "unshare: {}", std::io::Error::last_os_error());
    Ok(())
}

/// A mount outside /run/netns, as Docker makes one.
struct Mounted(PathBuf);

impl Mounted {
    fn new() -> Result<Self> {
        Self::of(&fresh()?, "mounted")
    }

    fn of(namespace: &File, role: &str) -> Result<Self> {
        let path = std::env::temp_dir().join(format!("rsct {} {role}", id()));
        File::create(&path)?;
        let source = format!("/proc/{}/fd/{}", id(), namespace.as_raw_fd());
        succeeds(Command::new("mount").arg("--bind").arg(source).arg(&path))?;
        Ok(Self(path))
    }
}

impl Holder for Mounted {
    fn path(&self) -> PathBuf {
        self.0.clone()
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
        let _ = fs::remove_file(&self.0);
    }
}

/// A file that was opened through a mount that no longer exists.
struct Detached(File);

impl Detached {
    fn new() -> Result<Self> {
        let mounted = Mounted::of(&fresh()?, "detached")?;
        Ok(Self(File::open(&mounted.0)?))
    }
}

impl Holder for Detached {
    fn path(&self) -> PathBuf {
        format!("/proc/{}/fd/{}", id(), self.0.as_raw_fd()).into()
    }
}

/// A mount that only a process in another mount namespace sees.
struct MountedElsewhere {
    process: Child,
    path: PathBuf,
}

impl MountedElsewhere {
    fn new() -> Result<Self> {
        let named = Namespace::new("elsewhere")?;
        let at = std::env::temp_dir().join(format!("rsct-{}-elsewhere", id()));
        File::create(&at)?;
        let mut process = Command::new("unshare")
            .args([
                "-m",
                "sh",
                "-ec",
                "mount --bind \"$0\" \"$1\"; umount \"$0\"; echo; exec cat",
            ])
            .arg(format!("/run/netns/{}", named.name))
            .arg(&at)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let stdout = process.stdout.take().context("no pipe")?;
        BufReader::new(stdout).read_line(&mut String::new())?;
        let inside = at.strip_prefix("/")?;
        let path = Path::new("/proc")
            .join(process.id().to_string())
            .join("root")
            .join(inside);
        Ok(Self { process, path })
    }
}

impl Holder for MountedElsewhere {
    fn path(&self) -> PathBuf {
        self.path.clone()
    }
}

impl Drop for MountedElsewhere {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        if let Ok(inside) = self
            .path
            .strip_prefix(format!("/proc/{}/root", self.process.id()))
        {
            let _ = fs::remove_file(Path::new("/").join(inside));
        }
    }
}

/// A thread in a namespace of its own, or one that has a namespace open in a file table of its own.
struct Threaded {
    path: PathBuf,
    end: Option<Sender<()>>,
    thread: Option<JoinHandle<Result<()>>>,
}

impl Threaded {
    fn new(by_its_file: bool) -> Result<Self> {
        let (ready, begun) = channel();
        let (end, ended) = channel();
        let thread = std::thread::spawn(move || hold(by_its_file, &ready, &ended));
        let path = begun.recv().context("the thread could not make a namespace")?;
        Ok(Self {
            path,
            end: Some(end),
            thread: Some(thread),
        })
    }
}

fn hold(by_its_file: bool, ready: &Sender<PathBuf>, ended: &Receiver<()>) -> Result<()> {
    // SAFETY: gettid has no arguments.
    let task = format!("/proc/{}/task/{}", id(), unsafe { libc::gettid() });
    let own = File::open("/proc/thread-self/ns/net")?;
    unshare(libc::CLONE_NEWNET)?;
    let mut path = format!("{task}/ns/net");
    if by_its_file {
        unshare(libc::CLONE_FILES)?;
        let kept = File::open("/proc/thread-self/ns/net")?;
        path = format!("{task}/fd/{}", kept.as_raw_fd());
        // SAFETY: the descriptor is open, and setns changes the calling thread alone.
        let result = unsafe { libc::setns(own.as_raw_fd(), libc::CLONE_NEWNET) };
        ensure!(result == 0, "setns: {}", std::io::Error::last_os_error());
        ready.send(path.into())?;
        let _ = ended.recv();
        drop(kept);
        return Ok(());
    }
    ready.send(path.into())?;
    let _ = ended.recv();
    Ok(())
}

impl Holder for Threaded {
    fn path(&self) -> PathBuf {
        self.path.clone()
    }
}

impl Drop for Threaded {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
