//! A network namespace of a scenario's own, and the commands that it runs there.

use std::{
    ffi::CString,
    fs, io,
    os::unix::process::CommandExt as _,
    path::PathBuf,
    process::{Command, Output},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Instant,
};

use anyhow::{Context as _, Result, ensure};

use crate::lab::{inside, json};

/// A named network namespace that is deleted on drop.
pub struct Namespace {
    /// Its name under /run/netns.
    pub name: String,
}

impl Namespace {
    /// Makes one whose name ends in `role`.
    pub fn new(role: &str) -> Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let next = NEXT.fetch_add(1, Ordering::Relaxed);
        Self::called(&format!("rsct-{}-{next}-{role}", std::process::id()))
    }

    /// Makes one of this very name.
    pub fn called(name: &str) -> Result<Self> {
        succeeds(Command::new("ip").args(["netns", "add", name]))?;
        let namespace = Self {
            name: name.to_owned(),
        };
        namespace.has_ctnetlink()?;
        Ok(namespace)
    }

    /// Asks the first namespace only: it is the kernel that has ctnetlink or not.
    fn has_ctnetlink(&self) -> Result<()> {
        static ASKED: AtomicBool = AtomicBool::new(false);
        if ASKED.swap(true, Ordering::Relaxed) {
            return Ok(());
        }
        let asked = output(&mut self.command("conntrack", &["-C"]))?;
        let said = String::from_utf8_lossy(&asked.stderr);
        ensure!(
            !said.contains("Protocol not supported"),
            "this machine's kernel has no ctnetlink: modprobe nf_conntrack_netlink"
        );
        Ok(())
    }

    /// A command that runs inside. Unlike `ip netns exec`, it keeps the mounts: its /sys has no devices of the namespace.
    pub fn command(&self, program: impl Into<PathBuf>, args: &[&str]) -> Command {
        let mut command = Command::new(program.into());
        command.args(args);
        // A name with a NUL cannot be opened either.
        let path = CString::new(format!("/run/netns/{}", self.name)).unwrap_or_default();
        // SAFETY: between fork and exec only open, setns and close are called, which are async-signal-safe.
        unsafe {
            command.pre_exec(move || {
                let file = libc::open(path.as_ptr(), libc::O_RDONLY | libc::O_CLOEXEC);
                match file >= 0 && libc::setns(file, libc::CLONE_NEWNET) == 0 {
                    true => Ok(()),
                    false => Err(io::Error::last_os_error()),
                }
            });
        }
        command
    }

    /// `ip netns exec`, whose /sys has the devices of the namespace, and whose mounts are its own.
    pub fn with_devices(&self, script: &str) -> Result<String> {
        succeeds(Command::new("ip").args(["netns", "exec", &self.name, "sh", "-ec", script]))
    }

    /// Runs `ip` once for all lines.
    pub fn ip(&self, lines: &str) -> Result<()> {
        self.fed("ip", &["-batch", "-"], lines)
    }

    /// Adds rules.
    pub fn nft(&self, rules: &str) -> Result<()> {
        self.fed("nft", &["-f", "-"], rules)
    }

    /// Runs a command with this input.
    fn fed(&self, program: &str, args: &[&str], input: &str) -> Result<()> {
        let (reader, mut writer) = io::pipe().context("make a pipe")?;
        // A pipe has room for it.
        io::Write::write_all(&mut writer, input.as_bytes())?;
        drop(writer);
        succeeds(self.command(program, args).stdin(reader))?;
        Ok(())
    }

    /// Sets a sysctl: a path below /proc/sys.
    pub fn sysctl(&self, path: &str, value: &str) -> Result<()> {
        let path = format!("/proc/sys/{path}");
        self.inside(|| fs::write(&path, value).with_context(|| format!("write {value} to {path}")))
    }

    /// Reads a file of /proc/sys or /proc/thread-self/net as it is inside.
    pub fn read(&self, path: &str) -> Result<String> {
        self.inside(|| fs::read_to_string(path).with_context(|| format!("read {path}")))
    }

    /// Runs `act` on a thread that is inside.
    pub fn inside<T: Send>(&self, act: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        inside::inside(&self.name, "rsct-tests", act)
    }

    /// Runs a shell script inside, which must succeed.
    pub fn sh(&self, script: &str) -> Result<String> {
        succeeds(&mut self.command("sh", &["-ec", script]))
    }

    /// Makes entries with `conntrack`, one for each line of its options.
    pub fn create(&self, entries: &str) -> Result<()> {
        for line in entries.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let mut args = vec!["-I"];
            args.extend(line.split_whitespace());
            succeeds(&mut self.command("conntrack", &args))?;
        }
        Ok(())
    }

    /// Output of `conntrack -L` with these options.
    pub fn conntrack(&self, args: &[&str]) -> Result<String> {
        succeeds(&mut self.command("conntrack", &[&["-L"], args].concat()))
    }

    /// Output of `rsct list` with these options.
    pub fn list(&self, args: &[&str]) -> Result<String> {
        succeeds(&mut self.rsct(&[&["list"], args].concat()))
    }

    /// rsct, to be run inside.
    pub fn rsct(&self, args: &[&str]) -> Command {
        self.command(rsct(), args)
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = Command::new("ip").args(["netns", "del", &self.name]).status();
    }
}

/// The rsct under test: the one that RSCT names, the one in the directory of these tests, or the one in PATH.
pub fn rsct() -> PathBuf {
    let beside = || {
        let path = std::env::current_exe().ok()?.with_file_name("rsct");
        path.exists().then_some(path)
    };
    let named = std::env::var_os("RSCT").map(PathBuf::from);
    named.or_else(beside).unwrap_or_else(|| "rsct".into())
}

/// Runs a command to its end. rsct's JSON is validated, and the line that names its schema is removed.
pub fn output(command: &mut Command) -> Result<Output> {
    let mut output = command.output().with_context(|| format!("start {command:?}"))?;
    let succeeded = output.status.success();
    output.stdout =
        json::validated(command, succeeded, output.stdout).with_context(|| format!("{command:?}"))?;
    Ok(output)
}

/// Start of the last command but one. Of two compared listings, the first is no older: on a busy or emulated machine,
/// seconds can lie between them.
pub fn last_but_one_began() -> Instant {
    let [last_but_one, _] = *BEGAN.lock().unwrap_or_else(PoisonError::into_inner);
    last_but_one.unwrap_or_else(Instant::now)
}

/// Starts of the last two commands.
static BEGAN: Mutex<[Option<Instant>; 2]> = Mutex::new([None; 2]);

/// Runs a command that must succeed, and returns its output.
pub fn succeeds(command: &mut Command) -> Result<String> {
    let mut began = BEGAN.lock().unwrap_or_else(PoisonError::into_inner);
    *began = [began[1], Some(Instant::now())];
    drop(began);
    let output = output(command)?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{command:?}: {}\n{said}", output.status);
    Ok(String::from_utf8(output.stdout)?)
}
