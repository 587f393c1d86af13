//! The environment of the two tools.

use std::{
    ffi::OsStr,
    fs,
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use anyhow::{Result, ensure};

use crate::{
    lab::inside::inside,
    native::{
        grid::{self, Report},
        namespace::{self, Namespace, output, succeeds},
    },
};

/// A namespace's defaults as sysctls.
const SYSCTLS: &str = "/proc/sys/net/netfilter";

/// The words after the program's name.
pub type CommandLine = Vec<Vec<u8>>;

/// One of the two tools.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum NfctTool {
    /// The original.
    Nfct,
    /// rsct under that name.
    Rsct,
}

/// Output and exit status of a run, and the state of the kernel after it if the run may have changed it.
pub type RunResult = [String; 4];

/// A directory where rsct has made its links.
pub struct NfctLab {
    dir: PathBuf,
    nfct: PathBuf,
}

impl NfctLab {
    /// Makes one.
    pub fn new() -> Result<Self> {
        let nfct = succeeds(Command::new("sh").args(["-c", "command -v nfct"]))?;
        let dir = std::env::temp_dir().join(format!("rsct-as-nfct-{}", std::process::id()));
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(&dir)?;
        succeeds(Command::new(namespace::rsct()).arg("install-links").arg(&dir))?;
        Ok(Self {
            dir,
            nfct: nfct.trim().into(),
        })
    }

    /// Path of a tool's program.
    pub fn program(&self, tool: NfctTool) -> PathBuf {
        match tool {
            NfctTool::Nfct => self.nfct.clone(),
            NfctTool::Rsct => self.dir.join("nfct"),
        }
    }

    /// Runs the lines with each tool, one after the other because helpers belong to no namespace.
    pub fn compare(&self, lines: &[CommandLine], report: &mut Report) -> Result<()> {
        let theirs = self.play(NfctTool::Nfct, lines)?;
        let ours = self.play(NfctTool::Rsct, lines)?;
        for ((line, theirs), ours) in lines.iter().zip(&theirs).zip(&ours) {
            let words: Vec<_> = line.iter().map(|word| String::from_utf8_lossy(word)).collect();
            let names = ["stdout", "stderr", "exit code", "what is in the kernel then"];
            report.add(&words.join(" "), grid::same(&names, theirs, ours));
        }
        Ok(())
    }

    fn play(&self, tool: NfctTool, lines: &[CommandLine]) -> Result<Vec<RunResult>> {
        let namespace = Namespace::new("nfct")?;
        namespace.sh("nfct flush helper 2> /dev/null || true")?;
        inside(&namespace.name, "rsct-tests", || {
            lines.iter().map(|line| self.line(tool, line)).collect()
        })
    }

    fn line(&self, tool: NfctTool, line: &CommandLine) -> Result<RunResult> {
        let words = line.iter().map(|word| OsStr::from_bytes(word));
        let run = output(Command::new(self.program(tool)).args(words))?;
        // A run that succeeds without output has changed something.
        let state = if run.status.success() && run.stdout.is_empty() {
            self.state(line)?
        } else {
            String::new()
        };
        let [stdout, stderr, code] = self.normalised(&run);
        Ok([stdout, stderr, code, state])
    }

    /// Policies and defaults, or helpers, as the original tool and the kernel itself show them.
    fn state(&self, line: &CommandLine) -> Result<String> {
        let is_helper = |word: &Vec<u8>| word.starts_with(b"h");
        let subsystem = if line.iter().take(2).any(is_helper) {
            "helper"
        } else {
            "timeout"
        };
        let listed = output(Command::new(self.program(NfctTool::Nfct)).args(["list", subsystem]))?;
        let mut state = String::from_utf8_lossy(&listed.stdout).into_owned();
        for file in timeouts(Path::new(SYSCTLS))? {
            let value = fs::read_to_string(&file)?;
            state += &format!("{} = {value}", file.display());
        }
        Ok(state)
    }

    /// Output and exit status of a run, without the tool's name and version.
    pub fn normalised(&self, output: &Output) -> [String; 3] {
        let text = |bytes: &[u8]| {
            // Bytes that are no text are kept, each as a letter of its own.
            let mut text: String = bytes.iter().copied().map(char::from).collect();
            for program in [NfctTool::Rsct, NfctTool::Nfct].map(|tool| self.program(tool)) {
                text = text.replace(&program.display().to_string(), "nfct");
            }
            without_version(&text)
        };
        [
            text(&output.stdout),
            text(&output.stderr),
            output.status.to_string(),
        ]
    }
}

impl Drop for NfctLab {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.dir);
    }
}

/// The files of all timeouts in order.
fn timeouts(dir: &Path) -> Result<Vec<PathBuf>> {
    let mut files: Vec<PathBuf> = fs::read_dir(dir)?
        .map(|file| file.map(|file| file.path()))
        .collect::<Result<_, _>>()?;
    files.retain(|path| path.to_string_lossy().contains("timeout"));
    ensure!(!files.is_empty(), "no timeouts in {}", dir.display());
    files.sort_unstable();
    Ok(files)
}

/// Removes the beginning of every sentence: `nfct v1.4.7: `.
fn without_version(text: &str) -> String {
    let mut parts = text.split("nfct v");
    let mut out = parts.next().unwrap_or("").to_owned();
    for part in parts {
        out += "nfct v";
        out += part.trim_start_matches(|letter: char| letter.is_ascii_digit() || letter == '.');
    }
    out
}
