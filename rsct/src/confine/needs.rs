//! The table: each command, the capabilities that it starts with, and what it keeps afterwards.

use std::path::{Path, PathBuf};

use super::{directory, may_create_in};
use crate::kernel::privileges::{
    Capability::{self, Bpf, DacOverride, DacReadSearch, NetAdmin, Perfmon, SysAdmin, SysPtrace},
    CapabilitySet,
};

/// A command that runs until it is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Task {
    /// `rsct trace`.
    Trace,
    /// `rsct top`.
    Top,
    /// `rsct record`.
    Record,
    /// `rsct watch`.
    Watch,
    /// `rsct metrics`.
    Metrics,
}

/// The privileges that a command keeps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Needs {
    /// The capabilities of the process.
    pub main: CapabilitySet,
    /// The capabilities of the helper process; none without one.
    pub helper: Option<CapabilitySet>,
    /// The file that the command rotates.
    pub rotates: Option<PathBuf>,
    /// Directories in which it writes.
    pub writable: Vec<PathBuf>,
    /// True if it draws on a terminal.
    pub terminal: bool,
}

impl Needs {
    /// The privileges that a command keeps. `other_namespaces`: it reads others than the current network namespace.
    pub(crate) fn of(task: Task, other_namespaces: bool) -> Self {
        Self {
            // Dumps and counters: the kernel checks each request.
            main: CapabilitySet::of(&[NetAdmin]),
            helper: helper(task, other_namespaces),
            terminal: task == Task::Top,
            ..Self::default()
        }
    }

    /// Also writes and rotates a file.
    #[must_use]
    pub(crate) fn with_rotated(mut self, file: PathBuf) -> Self {
        self = self.with_replaced(&file);
        self.rotates = Some(file);
        self
    }

    /// Also replaces a file.
    #[must_use]
    pub(crate) fn with_replaced(mut self, file: &Path) -> Self {
        self.writable.push(directory(file).to_owned());
        self
    }

    /// The capabilities that its files need: root may not write to another user's directory without one.
    pub(super) fn of_files(&self) -> CapabilitySet {
        match self.writable.iter().all(|directory| may_create_in(directory)) {
            true => CapabilitySet::default(),
            false => CapabilitySet::of(&[DacOverride]),
        }
    }
}

/// The capabilities of the helper.
fn helper(task: Task, other_namespaces: bool) -> Option<CapabilitySet> {
    if other_namespaces {
        // The kernel also checks the process that opened a socket.
        return Some(CapabilitySet::of(&[SysAdmin, SysPtrace, DacReadSearch, NetAdmin]));
    }
    match task {
        // The task's name is in each record; metrics name no programs.
        Task::Trace | Task::Metrics => None,
        // The names of programs that listen or sent a request.
        Task::Top | Task::Record | Task::Watch => Some(CapabilitySet::of(&[SysPtrace, DacReadSearch])),
    }
}

/// Commands that need the same capabilities to start.
pub(crate) struct Group {
    /// Its name.
    pub name: &'static str,
    /// The commands and options.
    pub commands: &'static [&'static str],
    /// The capabilities.
    pub needs: &'static [Capability],
}

/// All commands that need capabilities.
pub(crate) const GROUPS: &[Group] = &[
    Group {
        name: "to trace",
        commands: &[
            "trace",
            "top",
            "record",
            "metrics",
            "latency",
            "why",
            "timeout why",
            "timeout what-if",
            "list --timeout-source",
        ],
        needs: &[Bpf, Perfmon, NetAdmin],
    },
    Group {
        name: "to use ctnetlink",
        commands: &[
            "watch", "list", "get", "count", "stats", "save", "load", "create", "update", "delete", "flush",
            "expect", "timeout",
        ],
        needs: &[NetAdmin],
    },
    Group {
        name: "for other namespaces",
        commands: &["--netns"],
        needs: &[SysAdmin, SysPtrace],
    },
];

/// The command that assigns this program the capabilities for tracing as an ordinary user.
pub(crate) fn setcap() -> String {
    let program = std::env::current_exe();
    setcap_of(&program.map_or_else(|_| "rsct".to_owned(), |path| path.display().to_string()))
}

fn setcap_of(program: &str) -> String {
    let names: Vec<String> = [Bpf, Perfmon, NetAdmin]
        .iter()
        .map(|capability| capability.name().to_lowercase())
        .collect();
    format!("setcap {}+ep {program}", names.join(","))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    const TASKS: [Task; 5] = [Task::Trace, Task::Top, Task::Record, Task::Watch, Task::Metrics];

    #[test]
    fn no_command_keeps_more_than_the_capability_for_dumps() {
        for task in TASKS {
            for other_namespaces in [false, true] {
                let needs = Needs::of(task, other_namespaces);
                assert_eq!(needs.main, CapabilitySet::of(&[NetAdmin]), "{task:?}");
                assert!(needs.writable.is_empty(), "{task:?}");
                assert_eq!(
                    needs.helper.is_some_and(|helper| helper.has(SysAdmin)),
                    other_namespaces,
                    "{task:?}"
                );
            }
        }
        assert_eq!(Needs::of(Task::Trace, false).helper, None);
    }

    #[test]
    fn a_recorder_writes_in_one_directory() {
        let needs = Needs::of(Task::Record, false).with_rotated("/tmp/a.rsct".into());
        assert_eq!(needs.writable, [Path::new("/tmp")]);
        // Also for others than root.
        assert_eq!(needs.of_files(), CapabilitySet::default());
    }

    #[test]
    fn the_command_for_ordinary_users_names_three_capabilities() {
        assert_eq!(
            setcap_of("/usr/bin/rsct"),
            "setcap cap_bpf,cap_perfmon,cap_net_admin+ep /usr/bin/rsct"
        );
    }
}
