//! `cargo xtask vm`: one command, or a shell, on a chosen kernel.

use std::{
    fs,
    io::{IsTerminal as _, Write as _},
    path::{Path, PathBuf},
    process::{Command, ExitCode},
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use anyhow::{Context as _, Result};
use clap::Args;

use crate::{build::Profile, emulator, exec, initramfs, kernels, machine, paths, progress, qemu};

/// Default time limit of a command.
const TIMEOUT: Duration = Duration::from_secs(600);

/// Boot a guest and run COMMAND or a shell in it; exits with COMMAND's status.
#[derive(Args)]
pub struct Options {
    /// A kernel of the matrix (see below), `host`, or the path of a vmlinuz
    #[arg(long, value_name = "NAME", default_value = kernels::newest())]
    kernel: String,
    /// Virtual processors
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=64))]
    cpus: u32,
    /// Drive the guest's clock by instructions: one processor, reproducible figures
    #[arg(long)]
    icount: bool,
    /// Add a Debian package with its dependencies to the guest, such as bpftrace
    #[arg(long, value_name = "PACKAGE")]
    with: Vec<String>,
    /// Copy a file or directory into the guest, to DST or to / under its own name
    #[arg(long = "file", value_name = "SRC[:DST]")]
    files: Vec<String>,
    /// Copy the guest's /out into this directory after COMMAND has ended
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Connect COMMAND to this terminal, as a shell always is
    #[arg(long)]
    tty: bool,
    /// Stop the guest after this many seconds [default: 600 for a COMMAND without --tty]
    #[arg(long, value_name = "SECONDS")]
    timeout: Option<u64>,
    /// Command to run instead of a shell
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<String>,
}

/// A guest to be booted.
pub struct Boot<'a> {
    /// As `--kernel`.
    pub kernel: &'a str,
    /// As `--cpus`.
    pub cpus: u32,
    /// Memory in GiB.
    pub memory_gib: u32,
    /// As `--icount`.
    pub icount: bool,
    /// The build of its programs.
    pub profile: Profile,
    /// As `--with`.
    pub with: &'a [String],
    /// Files of this machine and their paths in the guest.
    pub files: &'a [(PathBuf, String)],
    /// As `--out`.
    pub out: Option<&'a Path>,
    /// True if the script gets this process's terminal.
    pub terminal: bool,
    /// Time limit.
    pub timeout: Option<Duration>,
    /// The guest's command, a shell script.
    pub script: String,
}

impl Default for Boot<'_> {
    fn default() -> Self {
        Self {
            kernel: kernels::newest(),
            profile: Profile::default(),
            cpus: 2,
            memory_gib: 2,
            icount: false,
            with: &[],
            files: &[],
            out: None,
            terminal: false,
            timeout: Some(TIMEOUT),
            script: String::new(),
        }
    }
}

/// Runs the subcommand.
pub fn run(options: &Options) -> Result<ExitCode> {
    let terminal = options.tty || options.command.is_empty();
    if terminal && !std::io::stdin().is_terminal() {
        let hint = "give a command, as in `cargo xtask vm -- uname -r`";
        return Err(exec::Usage(format!("a shell needs a terminal: {hint}")).into());
    }
    kernels::check(&options.kernel)?;
    let files = options
        .files
        .iter()
        .map(|file| source_and_destination(file))
        .collect::<Result<Vec<_>>>()?;
    // Figures are of what users install.
    let profile = match options.icount {
        true => Profile::Release,
        false => Profile::Quick,
    };
    prepare(profile)?;
    let boot = Boot {
        kernel: &options.kernel,
        profile,
        cpus: options.cpus,
        icount: options.icount,
        with: &options.with,
        files: &files,
        out: options.out.as_deref(),
        terminal,
        timeout: options
            .timeout
            .map(Duration::from_secs)
            .or((!terminal).then_some(TIMEOUT)),
        script: if options.command.is_empty() {
            "PS1='guest:\\w\\$ ' exec bash --norc".to_owned()
        } else {
            line(&options.command)
        },
        ..Boot::default()
    };
    boot.to_stdout()
}

/// Fetches everything that guests need except the kernel.
pub fn prepare(profile: Profile) -> Result<()> {
    machine::ensure(&[machine::FOR_GUESTS])?;
    emulator::ensure()?;
    profile.ensure()
}

impl Boot<'_> {
    /// Boots, with the command's output on this process's standard output.
    pub fn to_stdout(&self) -> Result<ExitCode> {
        let mut broken = false;
        let mut step = (!self.terminal).then(|| progress::step(format!("booting {}", self.kernel)));
        let code = self.run(&mut |bytes| {
            // The command's own output follows.
            step = None;
            let mut stdout = std::io::stdout();
            // The reader may have closed the pipe; the guest still runs to its end.
            broken = broken || stdout.write_all(bytes).and_then(|()| stdout.flush()).is_err();
        })?;
        Ok(ExitCode::from(code))
    }

    /// Boots, passes the command's output to `output`, and returns its exit status.
    pub fn run(&self, output: &mut dyn FnMut(&[u8])) -> Result<u8> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let image = kernels::find(self.kernel)?;
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let dir = paths::guest()
            .join("runs")
            .join(format!("{}-{number}", std::process::id()));
        exec::remove_dir(&dir)?;
        fs::create_dir_all(&dir).with_context(|| format!("create {}", dir.display()))?;
        let contents = initramfs::Contents {
            image: &image,
            profile: self.profile,
            with: self.with,
            files: self.files,
            script: self.script.clone(),
            terminal: self.terminal.then(terminal_size),
        };
        initramfs::write(&contents, &dir.join("initrd"))?;
        let machine = qemu::Machine {
            vmlinuz: &fs::canonicalize(&image.vmlinuz)
                .with_context(|| format!("resolve {}", image.vmlinuz.display()))?,
            dir: &dir,
            cpus: self.cpus,
            memory_gib: self.memory_gib,
            icount: self.icount,
            terminal: self.terminal,
            timeout: self.timeout,
        };
        let ended = machine.run(output);
        // Large, and rebuilt from layers every time; the console's log stays if the guest died.
        fs::remove_file(dir.join("initrd")).with_context(|| format!("remove {}/initrd", dir.display()))?;
        let code = ended?;
        if let (Some(out), Some(tar)) = (self.out, machine.files()) {
            fs::create_dir_all(out).with_context(|| format!("create {}", out.display()))?;
            let mut command = Command::new("tar");
            command
                .arg("-xf")
                .arg(&tar)
                .arg("-C")
                .arg(out)
                .arg("--no-same-owner");
            exec::output(&mut command, "unpack the files in the guest's /out")?;
        }
        exec::remove_dir(&dir)?;
        Ok(code)
    }
}

/// Splits `SRC[:DST]` into a path on this machine and one in the guest.
fn source_and_destination(file: &str) -> Result<(PathBuf, String)> {
    let (from, to) = match file.split_once(':') {
        Some((from, to)) => (from, to.to_owned()),
        None => (file, String::new()),
    };
    let from = PathBuf::from(from);
    let to = if to.is_empty() {
        let hint = || exec::Usage(format!("--file {file}: give a destination, as in {file}:/data"));
        let name = from.file_name().ok_or_else(hint)?;
        format!("/{}", name.to_string_lossy())
    } else {
        to
    };
    Ok((from, to))
}

/// A command line that a shell splits into exactly these words.
pub fn line(words: &[String]) -> String {
    let quoted: Vec<String> = words
        .iter()
        .map(|word| format!("'{}'", word.replace('\'', "'\\''")))
        .collect();
    quoted.join(" ")
}

/// This terminal's size, for `stty` in the guest.
fn terminal_size() -> String {
    // SAFETY: winsize is plain integers, for which zero is a value.
    let mut size: libc::winsize = unsafe { std::mem::zeroed() };
    // SAFETY: TIOCGWINSZ fills the passed winsize and keeps no pointer.
    let got = unsafe { libc::ioctl(libc::STDIN_FILENO, libc::TIOCGWINSZ, &raw mut size) };
    if got == 0 && size.ws_row > 0 {
        format!("rows {} cols {}", size.ws_row, size.ws_col)
    } else {
        "rows 24 cols 80".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_survive_the_guests_shell() {
        let words = ["sh", "-c", "echo 'a  b' \"$HOME\""].map(str::to_owned);
        assert_eq!(line(&words), r#"'sh' '-c' 'echo '\''a  b'\'' "$HOME"'"#);
    }

    #[test]
    fn a_file_is_copied_to_its_destination_or_to_the_root() {
        assert_eq!(
            source_and_destination("/a/b").unwrap(),
            ("/a/b".into(), "/b".to_owned())
        );
        assert_eq!(
            source_and_destination("a:/x/y").unwrap(),
            ("a".into(), "/x/y".to_owned())
        );
        assert!(source_and_destination("..").is_err());
    }
}
