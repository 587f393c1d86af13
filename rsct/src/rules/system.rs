//! The programs iptables, ip6tables and nft, run in a network namespace.

use std::{
    env,
    ffi::OsStr,
    fs, io,
    os::{
        fd::{AsFd as _, OwnedFd},
        unix::fs::PermissionsExt as _,
    },
    path::PathBuf,
    process::{Command, Stdio},
};

use thiserror::Error;

use super::{
    Call, Listed, NftError, Rule, Tool, iptables,
    nft::{self, Copied},
    nft_list::Ruleset,
};
use crate::{
    family::Family,
    kernel::netns::{self, Netns},
    netlink::timeout::Timeouts,
};

/// A program could not run, or failed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub(crate) enum ToolError {
    /// It cannot be started.
    #[error("running {program}: {source}")]
    Start {
        /// Its path.
        program: String,
        /// The error.
        source: io::Error,
    },
    /// Its namespace cannot be entered.
    #[error("entering network namespace {name} to run {program} there: {source}")]
    Enter {
        /// The namespace's name.
        name: String,
        /// The program's path.
        program: String,
        /// The error.
        source: io::Error,
    },
    /// It failed.
    #[error("`{call}` failed ({status}): {stderr}{}", hint(*.tool, .stderr))]
    Failed {
        /// The program.
        tool: Tool,
        /// The command.
        call: String,
        /// Its exit status.
        status: String,
        /// Its stderr, on one line.
        stderr: String,
    },
    /// Only nft is installed, and it cannot attach the policy.
    #[error(transparent)]
    Nft(#[from] NftError),
}

/// The installed programs.
#[derive(Debug)]
pub(crate) struct System {
    netns: Option<(String, OwnedFd)>,
    programs: Vec<(Tool, PathBuf)>,
}

impl System {
    /// Finds the programs in PATH. They run in the current namespace unless another is passed.
    pub(crate) fn find(netns: Option<&Netns>) -> io::Result<Self> {
        let netns = netns
            .map(|netns| io::Result::Ok((netns.name.to_string(), netns.as_fd().try_clone_to_owned()?)))
            .transpose()?;
        let path = env::var_os("PATH").unwrap_or_default();
        Ok(Self {
            netns,
            programs: programs_in(&path),
        })
    }

    /// Returns whether a program is installed.
    pub(crate) fn has(&self, tool: Tool) -> bool {
        self.programs.iter().any(|(found, _)| *found == tool)
    }

    /// The program that attaches policies of a family: its iptables, or nft if that is not installed.
    pub(crate) fn for_family(&self, family: Family) -> Option<Tool> {
        [Tool::of_family(family), Tool::Nft]
            .into_iter()
            .find(|tool| self.has(*tool))
    }

    /// Lists every rule with a timeout in a program's output.
    pub(crate) fn list(&self, tool: Tool) -> Result<Vec<Listed>, ToolError> {
        let call = match tool {
            Tool::Nft => nft::list(),
            _ => iptables::list(tool),
        };
        Ok(super::parse(tool, &self.run(&call)?))
    }

    /// The commands that add rules for a policy, all with one program: iptables needs one command per rule,
    /// nft one for all.
    pub(crate) fn adding(
        &self,
        tool: Tool,
        rules: &[Rule],
        timeouts: &Timeouts,
    ) -> Result<Vec<Call>, ToolError> {
        if tool != Tool::Nft {
            return Ok(rules.iter().map(iptables::add).collect());
        }
        let copied = Copied::of(timeouts)?;
        Ok(vec![nft::add(rules, &copied, &self.ruleset()?)?])
    }

    /// The commands that delete rules, each with the rules that it deletes.
    pub(crate) fn removing<'a>(
        &self,
        rules: &[&'a Listed],
    ) -> Result<Vec<(Call, Vec<&'a Listed>)>, ToolError> {
        let (of_nft, others): (Vec<&Listed>, Vec<&Listed>) =
            rules.iter().partition(|rule| rule.tool == Tool::Nft);
        let mut calls: Vec<(Call, Vec<&Listed>)> = others
            .into_iter()
            .map(|rule| (iptables::delete(rule), vec![rule]))
            .collect();
        if !of_nft.is_empty() {
            calls.push((nft::delete(&of_nft, &self.ruleset()?), of_nft));
        }
        Ok(calls)
    }

    /// Returns whether a rule prevents its program from changing other rules of the table: with
    /// iptables-legacy, a rule whose policy name the kernel cuts.
    pub(crate) fn blocks_its_table(&self, rule: &Listed) -> Result<bool, ToolError> {
        Ok(rule.shows_a_part() && iptables::is_legacy(&self.run(&iptables::version(rule.tool))?))
    }

    /// Runs a command and returns its output.
    pub(crate) fn run(&self, call: &Call) -> Result<String, ToolError> {
        let program = self.programs.iter().find(|(tool, _)| *tool == call.tool);
        let program = program.map_or_else(|| PathBuf::from(call.tool.name()), |(_, path)| path.clone());
        let shown = program.display().to_string();
        let mut command = Command::new(&program);
        command.args(&call.args).env("LC_ALL", "C").stdin(Stdio::null());
        let output = match &self.netns {
            None => command.output(),
            Some((name, fd)) => {
                let entered = netns::inside(fd.as_fd(), move || command.output());
                entered.map_err(|source| ToolError::Enter {
                    name: name.clone(),
                    program: shown.clone(),
                    source,
                })?
            }
        };
        let output = output.map_err(|source| ToolError::Start {
            program: shown,
            source,
        })?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        Err(ToolError::Failed {
            tool: call.tool,
            call: call.to_string(),
            status: output.status.to_string(),
            stderr: one_line(&String::from_utf8_lossy(&output.stderr)),
        })
    }

    fn ruleset(&self) -> Result<Ruleset, ToolError> {
        Ok(Ruleset::parse(&self.run(&nft::list())?))
    }
}

/// The first program of each name in the directories of a PATH.
fn programs_in(path: &OsStr) -> Vec<(Tool, PathBuf)> {
    let is_program = |path: &PathBuf| {
        fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
    };
    let tools = [Tool::Iptables, Tool::Ip6tables, Tool::Nft];
    let first = |tool: Tool| {
        env::split_paths(path)
            .map(|directory| directory.join(tool.name()))
            .find(is_program)
    };
    tools
        .into_iter()
        .filter_map(|tool| Some((tool, first(tool)?)))
        .collect()
}

/// A program's error message on one line, without quoted parts of the command, markers and advice.
fn one_line(stderr: &str) -> String {
    let points = |line: &str| !line.is_empty() && line.chars().all(|c| "^~".contains(c));
    let lines: Vec<&str> = stderr.lines().map(str::trim).collect();
    let kept = lines.iter().enumerate().filter(|(index, line)| {
        let quoted = lines.get(index + 1).is_some_and(|next| points(next));
        let is_advice = line.starts_with("Try `") || line.starts_with("# Warning: ");
        !(line.is_empty() || points(line) || quoted || is_advice)
    });
    let kept: Vec<&str> = kept.map(|(_, line)| *line).collect();
    if kept.is_empty() {
        "no error message".to_owned()
    } else {
        kept.join("; ")
    }
}

fn hint(tool: Tool, stderr: &str) -> &'static str {
    let has = |words: &[&str]| words.iter().any(|word| stderr.contains(word));
    if has(&["Permission denied", "must be root", "Operation not permitted"]) {
        "; run as root or with the capability CAP_NET_ADMIN"
    } else if tool == Tool::Nft {
        ""
    } else if has(&["No chain/target/match", "missing kernel module"]) {
        "; the kernel may lack the CT target (`modprobe xt_CT`) or a match that the rule needs; with \
         iptables-legacy, the table may have another rule whose policy name the kernel cuts"
    } else if has(&["Invalid argument", "RULE_APPEND failed"]) {
        "; see the kernel log (`dmesg`)"
    } else {
        ""
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stderr_becomes_one_line() {
        for (stderr, line) in [
            (
                "iptables v1.8.9 (nf_tables):  RULE_APPEND failed (Invalid argument): rule in chain OUTPUT\n",
                "iptables v1.8.9 (nf_tables):  RULE_APPEND failed (Invalid argument): rule in chain OUTPUT",
            ),
            (
                "Error: syntax error, unexpected udp, expecting string\nadd ct timeout ip rsct udp {}\n      ^^^\n",
                "Error: syntax error, unexpected udp, expecting string",
            ),
            (
                "# Warning: iptables-legacy tables present, use iptables-legacy to see them\niptables: no\n\nTry \
                 `iptables -h' for more.\n",
                "iptables: no",
            ),
            ("", "no error message"),
        ] {
            assert_eq!(one_line(stderr), line);
        }
    }

    #[test]
    fn a_path_without_programs_has_none() {
        assert_eq!(programs_in(OsStr::new("/proc:/no/such/directory:")), []);
    }
}
