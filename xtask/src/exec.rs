//! Runs other programs quietly, and prints their output only if they fail.

use std::{
    io::ErrorKind,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use anyhow::{Context as _, Result, bail};

/// Lines of a failed program's output in a message.
const TAIL_LINES: usize = 30;

/// A usage error: ends with exit status 2, like clap's own.
#[derive(Debug)]
pub struct Usage(pub String);

impl std::fmt::Display for Usage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Usage {}

/// Runs `command` and returns its standard output. `purpose` starts the error message.
pub fn output(command: &mut Command, purpose: &str) -> Result<String> {
    let output = capture(command, purpose)?;
    if !output.status.success() {
        let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.push_str(&String::from_utf8_lossy(&output.stderr));
        bail!(
            "{purpose}: `{}` ended with {}:\n{}",
            line(command),
            output.status,
            tail(&text, TAIL_LINES)
        );
    }
    String::from_utf8(output.stdout)
        .with_context(|| format!("{purpose}: `{}` did not print UTF-8", line(command)))
}

/// Runs `command` and returns its complete output, even if it failed.
pub fn capture(command: &mut Command, purpose: &str) -> Result<Output> {
    command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| start_error(command, &error, purpose))
}

/// Runs `command` with this process's output.
pub fn inherit(command: &mut Command, purpose: &str) -> Result<()> {
    let status = command
        .status()
        .map_err(|error| start_error(command, &error, purpose))?;
    if !status.success() {
        bail!("{purpose}: `{}` ended with {status}", line(command));
    }
    Ok(())
}

/// The error for a program that could not be started.
pub fn start_error(command: &Command, error: &std::io::Error, purpose: &str) -> anyhow::Error {
    let program = command.get_program().to_string_lossy().into_owned();
    if error.kind() == ErrorKind::NotFound {
        anyhow::anyhow!("{purpose}: `{program}` is not installed on this machine")
    } else {
        anyhow::anyhow!("{purpose}: cannot start `{program}`: {error}")
    }
}

/// The last `lines` lines of `text`.
pub fn tail(text: &str, lines: usize) -> String {
    let all: Vec<&str> = text.trim_end().lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

/// Path of an installed `program`, on root's search path even for other users.
pub fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let system = ["/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/bin", "/bin"];
    std::env::split_paths(&path)
        .chain(system.iter().map(PathBuf::from))
        .map(|dir| dir.join(program))
        .find(|file| file.is_file())
}

/// Returns whether this process may install packages and load BPF programs.
pub fn is_root() -> bool {
    // SAFETY: geteuid has no arguments and cannot fail.
    unsafe { libc::geteuid() == 0 }
}

/// Lowers the priority of this thread and of the programs that it starts below that of ordinary processes.
pub fn lower_priority() {
    const NICE: libc::c_int = 10;
    // SAFETY: a plain call; 0 is the calling thread. If it fails, the priority stays.
    unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, NICE) };
}

/// Removes a directory if it exists.
pub fn remove_dir(dir: &Path) -> Result<()> {
    match std::fs::remove_dir_all(dir) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("remove {}", dir.display()))
        }
        _ => Ok(()),
    }
}

fn line(command: &Command) -> String {
    let mut line = command.get_program().to_string_lossy().into_owned();
    for arg in command.get_args() {
        line.push(' ');
        line.push_str(&arg.to_string_lossy());
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tail_keeps_the_end() {
        assert_eq!(tail("a\nb\nc\n", 2), "b\nc");
        assert_eq!(tail("a", 5), "a");
        assert_eq!(tail("", 5), "");
    }

    #[test]
    fn a_failure_names_purpose_command_and_cause() {
        let error = output(Command::new("sh").args(["-c", "echo why >&2; exit 3"]), "try");
        let message = format!("{:#}", error.unwrap_err());
        assert!(message.starts_with("try: `sh -c"), "{message}");
        assert!(message.contains("exit status: 3"), "{message}");
        assert!(message.ends_with("why"), "{message}");
    }

    #[test]
    fn a_missing_program_is_named() {
        let error = output(&mut Command::new("no-such-program"), "try").unwrap_err();
        assert_eq!(
            error.to_string(),
            "try: `no-such-program` is not installed on this machine"
        );
    }
}
