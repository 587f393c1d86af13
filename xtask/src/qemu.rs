//! One run of a guest in QEMU: start, output, time limit and exit status.
//!
//! The command's output is read from a virtio-serial port, without kernel messages; the kernel's console is a file that
//! is printed only if the guest dies.

use std::{
    fmt, fs,
    io::Read as _,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};

use crate::{clock, emulator, exec};

const CONSOLE_LINES: usize = 70;
const KERNEL_ARGUMENTS: &str = "console=ttyS0 quiet loglevel=4 panic=-1 oops=panic mitigations=off nowatchdog \
                                no_timer_check tsc=reliable random.trust_cpu=on rdinit=/init";
/// Clearing each allocation costs a guest a tenth of its time. With counted instructions it stays on, for comparison
/// with earlier figures.
const LESS_WORK: &str = "init_on_alloc=0 audit=0 apparmor=0";
/// Everything that QEMU supports except cmpxchg16b, which would select another path in the kernel's allocators than in
/// earlier `bench packet` runs, and except five-level page tables, which only lengthen every walk.
const CPU: &str = "max,cx16=off,la57=off";

/// The emulator itself failed, which says nothing about what ran in the guest.
#[derive(Debug)]
pub struct EmulatorDied(String);

impl fmt::Display for EmulatorDied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for EmulatorDied {}

/// Without the instructions that copy byte by byte, the kernel copies and clears words, which an emulator does in an eighth
/// of the steps. With counted instructions they stay, for comparison with earlier figures.
const WORDS: &str = "erms=off,fsrm=off";

/// Configuration of a guest's run.
pub struct Machine<'a> {
    /// The kernel's file.
    pub vmlinuz: &'a Path,
    /// A directory for this guest alone; it contains `initrd`.
    pub dir: &'a Path,
    /// Virtual processors.
    pub cpus: u32,
    /// Memory in GiB.
    pub memory_gib: u32,
    /// Count instructions instead of time: one processor, reproducible.
    pub icount: bool,
    /// Connect the command to this process's terminal.
    pub terminal: bool,
    /// Time limit of the guest.
    pub timeout: Option<Duration>,
}

impl Machine<'_> {
    /// Boots, passes the command's output to `output`, and returns the command's exit status.
    pub fn run(&self, output: &mut dyn FnMut(&[u8])) -> Result<u8> {
        let mut command = self.command()?;
        let mut child = command
            .spawn()
            .map_err(|error| exec::start_error(&command, &error, "boot the guest"))?;
        let ended = self.listen(&mut child, output);
        // The guest must not outlive this call.
        let _ = child.kill();
        let status = child.wait().context("wait for QEMU")?;
        let text = fs::read_to_string(self.dir.join("qemu.log")).unwrap_or_default();
        if !ended? {
            bail!(
                "the guest was stopped at its time limit of {} s (see --timeout); {}",
                self.timeout.unwrap_or_default().as_secs(),
                self.console()
            );
        }
        match fs::read_to_string(self.dir.join("exit"))
            .unwrap_or_default()
            .trim()
            .parse()
        {
            Ok(code) => Ok(code),
            Err(_) if !status.success() => {
                let complaint = format!("QEMU ended with {status}:\n{}", text.trim_end());
                Err(EmulatorDied(complaint).into())
            }
            Err(_) => {
                let complaint = format!("the guest died before its command ended; {}", self.console());
                if self.hit_a_removed_breakpoint() {
                    return Err(EmulatorDied(complaint).into());
                }
                bail!("{complaint}")
            }
        }
    }

    /// The archive of the files in the guest's /out, if any.
    pub fn files(&self) -> Option<PathBuf> {
        let file = self.dir.join("files.tar");
        fs::metadata(&file)
            .is_ok_and(|meta| meta.len() > 0)
            .then_some(file)
    }

    /// Reads the output until the guest ends or times out; returns whether it ended.
    fn listen(&self, child: &mut Child, output: &mut dyn FnMut(&[u8])) -> Result<bool> {
        let deadline = self.timeout.map(|timeout| Instant::now() + timeout);
        let (sender, receiver) = mpsc::channel();
        if let Some(mut stdout) = child.stdout.take() {
            thread::spawn(move || {
                let mut buffer = vec![0; 65536];
                while let Ok(length @ 1..) = stdout.read(&mut buffer) {
                    if sender.send(buffer[..length].to_vec()).is_err() {
                        break;
                    }
                }
            });
        } else {
            drop(sender);
        }
        loop {
            let left = deadline.map_or(Duration::MAX, |end| end.saturating_duration_since(Instant::now()));
            let received = if left == Duration::MAX {
                receiver.recv().map_err(|_| mpsc::RecvTimeoutError::Disconnected)
            } else {
                receiver.recv_timeout(left)
            };
            match received {
                Ok(bytes) => output(&bytes),
                Err(mpsc::RecvTimeoutError::Timeout) => return Ok(false),
                Err(mpsc::RecvTimeoutError::Disconnected) => break,
            }
        }
        while child.try_wait().context("wait for QEMU")?.is_none() {
            if deadline.is_some_and(|end| Instant::now() >= end) {
                return Ok(false);
            }
            thread::sleep(Duration::from_millis(10));
        }
        Ok(true)
    }

    /// Returns whether the guest died of a breakpoint. The kernel sets one while it changes code, and nothing else in a guest
    /// does: the emulated processor still saw it after its removal. QEMU 7.2 did so often, 10 does so seldom.
    fn hit_a_removed_breakpoint(&self) -> bool {
        let log = fs::read(self.dir.join("console.log")).unwrap_or_default();
        String::from_utf8_lossy(&log).contains("Oops: int3")
    }

    fn console(&self) -> String {
        let file = self.dir.join("console.log");
        let log = fs::read(&file).unwrap_or_default();
        format!(
            "its console ({}) ends:\n{}",
            file.display(),
            exec::tail(&String::from_utf8_lossy(&log), CONSOLE_LINES)
        )
    }

    fn kernel_arguments(&self) -> String {
        if self.icount {
            // Its counter counts instructions.
            return KERNEL_ARGUMENTS.to_owned();
        }
        let rate = clock::argument().unwrap_or_default();
        format!("{KERNEL_ARGUMENTS} {LESS_WORK} {rate}")
    }

    fn command(&self) -> Result<Command> {
        let mut command = emulator::command()?;
        // Names relative to the directory need no escaping in QEMU's options.
        command.current_dir(self.dir);
        command.args(["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"]);
        let cpu = match self.icount {
            true => CPU.to_owned(),
            false => format!("{CPU},{WORDS}"),
        };
        command.args(["-machine", "q35", "-cpu", &cpu]);
        command.args(["-m", &format!("{}G", self.memory_gib)]);
        if self.icount {
            command.args(["-accel", "tcg", "-icount", "shift=0,sleep=off", "-smp", "1"]);
        } else {
            command.args(["-accel", "tcg,thread=multi", "-smp", &self.cpus.to_string()]);
        }
        command.arg("-kernel").arg(self.vmlinuz);
        command.args(["-initrd", "initrd"]);
        command.args(["-append", &self.kernel_arguments()]);
        file_device(&mut command, "console", "console.log");
        command.args(["-device", "isa-serial,chardev=console"]);
        command.args(["-device", "virtio-rng-pci", "-device", "virtio-serial-pci"]);
        for (name, file) in [("exit", "exit"), ("files", "files.tar")] {
            file_device(&mut command, name, file);
            command.args([
                "-device",
                &format!("virtserialport,chardev={name},name=rsct.{name}"),
            ]);
        }
        if self.terminal {
            command.args(["-chardev", "stdio,id=terminal,signal=off"]);
            command.args(["-device", "virtconsole,chardev=terminal"]);
        } else {
            // A "stdio" device would disconnect at the end of its input, and block the guest's writes.
            file_device(&mut command, "output", "/dev/stdout");
            command.args(["-device", "virtserialport,chardev=output,name=rsct.output"]);
            command.stdin(Stdio::null()).stdout(Stdio::piped());
        }
        match fs::File::create(self.dir.join("qemu.log")) {
            Ok(log) => command.stderr(log),
            Err(_) => command.stderr(Stdio::null()),
        };
        // SAFETY: between fork and exec only prctl is called, which is async-signal-safe.
        unsafe {
            command.pre_exec(|| {
                // The guest must die with this process, even if that is killed.
                libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
                Ok(())
            });
        }
        Ok(command)
    }
}

fn file_device(command: &mut Command, id: &str, file: &str) {
    command.args(["-chardev", &format!("file,id={id},path={file}")]);
}
