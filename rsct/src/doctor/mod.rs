//! State of this machine as data for `rsct doctor`, independent of the output format.
//!
//! [`gather`] checks each item once and really attaches, because settings and versions show only what should work;
//! [`verdict`] draws the conclusion. The whole diagnosis serialises, for bug reports.

mod ctnetlink;
mod gather;
mod hooks;
#[cfg(test)]
pub(crate) mod samples;
mod verdict;

use serde::Serialize;

pub use gather::gather;
pub use hooks::AttachedSessions;

/// The diagnosis.
#[derive(Debug, Serialize)]
pub struct Diagnosis {
    /// True if `rsct trace` works here.
    pub can_trace: bool,
    /// The reason if it does not.
    pub reason: Option<String>,
    /// The kernel.
    pub kernel: Kernel,
    /// The kernel's types.
    pub btf: Btf,
    /// Privileges of this process.
    pub privileges: Privileges,
    /// The kernel's answers to minimal tracing programs.
    pub programs: Programs,
    /// Conntrack in this network namespace; `None` if it is not loaded.
    pub conntrack: Option<Conntrack>,
    /// The reason why it is unknown whether conntrack is loaded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conntrack_error: Option<&'static str>,
    /// The result of a dump of entries; not tried without conntrack, because a dump loads the module.
    pub ctnetlink: Option<Dump>,
    /// True if the kernel runs attached programs; unknown if nothing is attached or the test failed.
    pub programs_run: Option<bool>,
    /// The reason why it is unknown.
    pub programs_run_error: Option<String>,
    /// The reason why attaching failed or was not tried.
    pub not_attached: Option<Obstacle>,
    /// Every hook of every command; without attachments if none were tried.
    pub hooks: Vec<Hook>,
    /// Every field that the eBPF programs read; empty without BTF.
    pub fields: Vec<Field>,
    /// Every argument that the eBPF programs use; empty without BTF.
    pub arguments: Vec<Argument>,
}

/// The kernel and its configuration.
#[derive(Debug, Serialize)]
pub struct Kernel {
    /// As `uname -r` prints it.
    pub release: String,
    /// Ticks per second.
    pub hz: Option<u32>,
    /// The reason why they are not known.
    pub hz_error: Option<String>,
    /// True if programs are compiled; unknown if the setting cannot be read.
    pub jit: Option<bool>,
    /// `none`, `integrity` or `confidentiality`; unknown without lockdown or securityfs.
    pub lockdown: Option<&'static str>,
}

/// The kernel's types (BTF).
#[derive(Debug, Serialize)]
pub struct Btf {
    /// True if they can be read.
    pub readable: bool,
    /// The reason if not.
    pub error: Option<String>,
    /// The conntrack modules with their own BTF.
    pub modules: Vec<&'static str>,
}

/// Privileges of this process.
#[derive(Debug, Serialize)]
pub struct Privileges {
    /// Every capability that some part of rsct needs.
    pub capabilities: Vec<Capability>,
    /// True if capabilities are effective for tracing: in a rootless container they are not.
    pub initial_user_namespace: bool,
    /// The reason why the privileges are unknown.
    pub error: Option<String>,
}

/// A capability.
#[derive(Debug, Serialize)]
pub struct Capability {
    /// As in capabilities(7).
    pub name: &'static str,
    /// The operation that requires it.
    pub needed_for: &'static str,
    /// True if tracing requires it.
    pub to_trace: bool,
    /// True if the process holds it.
    pub held: bool,
}

/// The kernel's answers to minimal tracing programs.
#[derive(Debug, Serialize)]
pub struct Programs {
    /// An fentry program; not tried without BTF.
    pub fentry: Option<Trial>,
    /// A kprobe program.
    pub kprobe: Trial,
    /// True if kprobe programs can be attached; unknown without sysfs.
    pub kprobe_events: Option<bool>,
}

impl Programs {
    /// Returns whether kprobe programs are usable: accepted, and attachable as far as is known.
    fn kprobes_work(&self) -> bool {
        self.kprobe.accepted && self.kprobe_events != Some(false)
    }

    /// Returns whether any form of program is usable.
    fn any_works(&self) -> bool {
        self.kprobes_work() || self.fentry.as_ref().is_some_and(|trial| trial.accepted)
    }
}

/// Test load of a program.
#[derive(Debug, Serialize)]
pub struct Trial {
    /// True if the kernel accepted it.
    pub accepted: bool,
    /// The error in a few words.
    pub answer: Option<String>,
    /// The error in a sentence, with advice.
    pub refusal: Option<String>,
    /// True if the error was EPERM.
    pub not_permitted: bool,
}

/// Conntrack in this network namespace.
#[derive(Debug, Serialize)]
pub struct Conntrack {
    /// True for a module, false if built in.
    pub module: Option<bool>,
    /// True if IPv4 packets pass it.
    pub ipv4: Hooked,
    /// True if IPv6 packets pass it.
    pub ipv6: Hooked,
    /// Number of entries.
    pub entries: Option<u32>,
    /// Limit of entries.
    pub limit: Option<u32>,
    /// Settings that determine the available data.
    pub sysctls: Vec<Sysctl>,
}

/// Result of the check for conntrack's netfilter hooks.
#[derive(Debug, Serialize)]
pub struct Hooked {
    /// True if they are registered; unknown if the kernel does not report it.
    pub hooked: Option<bool>,
    /// The reason why it is unknown.
    pub error: Option<String>,
}

/// A conntrack setting.
#[derive(Debug, Serialize)]
pub struct Sysctl {
    /// Its name under `net.netfilter`.
    pub name: &'static str,
    /// Its value; `None` if this kernel does not have the setting.
    pub value: Option<u32>,
    /// Description of the feature that it switches.
    pub switches: &'static str,
}

/// A dump of conntrack's entries, up to the first.
#[derive(Debug, Serialize)]
pub struct Dump {
    /// True if the kernel answered.
    pub works: bool,
    /// The error.
    pub error: Option<String>,
}

/// The reason why nothing is attached.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case", tag = "stage", content = "why")]
pub enum Obstacle {
    /// Attaching was not tried, for a reason elsewhere in the diagnosis.
    NotTried,
    /// This kernel's types differ from those that the eBPF programs need.
    Types(String),
    /// Attaching failed.
    Attaching(String),
    /// The kernel attached the programs but does not run them.
    NotRun(String),
}

/// A hook.
#[derive(Debug, Serialize)]
pub struct Hook {
    /// The command of rsct that needs it: `trace`, `list` (for `--timeout-source`), `why` or `latency`.
    pub command: &'static str,
    /// The kernel function.
    pub function: &'static str,
    /// `fentry`, `kprobe`, `tracepoint` or `not attached`; `None` if not tried.
    pub attached: Option<&'static str>,
    /// The reasons why better forms failed.
    pub why_not_better: Vec<String>,
    /// True if BTF describes the function; unknown without BTF, and for a tracepoint.
    pub in_btf: Option<bool>,
    /// The data that is missing without it.
    pub shows: &'static str,
    /// True if no trace is possible without it.
    pub essential: bool,
}

/// A field of a kernel struct.
#[derive(Debug, Serialize)]
pub struct Field {
    /// The struct.
    pub of: &'static str,
    /// The member.
    pub path: &'static str,
    /// Offset in bytes from the struct's start.
    pub offset: Option<u32>,
    /// Number of bytes read.
    pub bytes: u32,
    /// True if no trace is possible without it.
    pub required: bool,
    /// The reason why it is absent.
    pub absent: Option<String>,
}

/// An argument of a hooked function.
#[derive(Debug, Serialize)]
pub struct Argument {
    /// The kernel function.
    pub function: &'static str,
    /// The parameter; `return` is the return value.
    pub name: &'static str,
    /// Its index from 0; the return value follows the last. `None` if the kernel's function has no such parameter.
    pub position: Option<u64>,
}
