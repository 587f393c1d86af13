//! Diagnosis of this machine, as data: the result of `rsct doctor`.
//!
//! [`gather`] checks each item once and really attaches, because settings and versions show only what should work;
//! [`verdict`] draws the conclusion. The whole diagnosis serialises, for bug reports.

mod ctnetlink;
mod gather;
mod hooks;
#[cfg(test)]
pub(crate) mod samples;
mod verdict;

use schemars::JsonSchema;
use serde::{Serialize, Serializer};

pub(crate) use gather::gather;
pub(crate) use hooks::AttachedSessions;

/// The result of `rsct doctor`.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Diagnosis {
    /// The version of the schema
    pub schema: u32,
    /// True if `rsct trace` works here; the exit status is then 0, else 1
    pub can_trace: bool,
    /// The reason why it does not
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The kernel
    pub kernel: Kernel,
    /// The kernel's types
    pub btf: Btf,
    /// The privileges of this process
    pub privileges: Privileges,
    /// The result of loading the smallest programs
    pub programs: Programs,
    /// Conntrack in this network namespace; absent if it is not loaded
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conntrack: Option<Conntrack>,
    /// The reason why it is unknown whether conntrack is loaded: /proc is missing
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conntrack_error: Option<&'static str>,
    /// The result of a dump; absent if conntrack is not loaded, because a dump would load it
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ctnetlink: Option<Dump>,
    /// True if the kernel runs attached programs; absent if nothing is attached or the test failed
    #[serde(skip_serializing_if = "Option::is_none")]
    pub programs_run: Option<bool>,
    /// The reason why that is unknown
    #[serde(skip_serializing_if = "Option::is_none")]
    pub programs_run_error: Option<String>,
    /// The obstacle, if programs could not be attached or do not run
    #[serde(rename = "obstacle", skip_serializing_if = "Option::is_none")]
    pub not_attached: Option<Obstacle>,
    /// The hooks of all commands
    pub hooks: Vec<Hook>,
    /// The fields of kernel structs that a trace reads; empty without the kernel's types
    pub fields: Vec<Field>,
    /// The arguments that a trace's programs use; empty without the kernel's types
    pub arguments: Vec<Argument>,
}

/// The kernel and its settings.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Kernel {
    /// The release, as `uname -r` prints it
    pub release: String,
    /// Jiffies in a second
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hz: Option<u32>,
    /// The reason why `hz` is unknown
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hz_error: Option<String>,
    /// True if eBPF programs are compiled; absent if that cannot be switched or read
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jit: Option<bool>,
    /// `none`, `integrity` or `confidentiality`; absent without lockdown or securityfs
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lockdown: Option<&'static str>,
}

/// The kernel's types (BTF).
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Btf {
    /// True if they can be read
    pub readable: bool,
    /// The reason why not
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// The modules of conntrack that have types
    pub modules: Vec<&'static str>,
}

/// The privileges of this process.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Privileges {
    /// The capabilities that rsct needs
    pub capabilities: Vec<Capability>,
    /// The commands, grouped by the capabilities that they need to start
    pub groups: Vec<CommandGroup>,
    /// The command that lets ordinary users trace with this file, where the kernel has kprobe.multi
    pub setcap: String,
    /// True in the initial user namespace: in a rootless container capabilities have no effect
    pub initial_user_namespace: bool,
    /// The reason why nothing is known
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// Commands that need the same capabilities to start.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct CommandGroup {
    /// The purpose of the commands
    pub purpose: &'static str,
    /// The commands and options
    pub commands: &'static [&'static str],
    /// The names of the capabilities that they need
    pub needs: Vec<&'static str>,
    /// The names of those that this process lacks
    pub lacks: Vec<&'static str>,
}

/// A capability.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Capability {
    /// The name, as in capabilities(7)
    pub name: &'static str,
    /// The purpose of the capability
    pub needed_for: &'static str,
    /// True if a trace needs it
    pub to_trace: bool,
    /// True if this process has it
    pub held: bool,
}

/// The result of loading the smallest programs.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "DoctorPrograms")]
pub(crate) struct Programs {
    /// The result with fentry; absent without the kernel's types
    #[serde(rename = "fentry_program", skip_serializing_if = "Option::is_none")]
    pub fentry: Option<Trial>,
    /// The result with kprobe
    #[serde(rename = "kprobe_program")]
    pub kprobe: Trial,
    /// True if kprobe programs can be attached; absent without sysfs
    #[serde(skip_serializing_if = "Option::is_none")]
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

/// The result of loading a program.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Trial {
    /// True if the kernel accepted it
    pub accepted: bool,
    /// The kernel's refusal in a few words
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer: Option<String>,
    /// The same in a sentence, with what to do
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refusal: Option<String>,
    /// True if the kernel answered EPERM
    pub not_permitted: bool,
}

/// Conntrack in this network namespace.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Conntrack {
    /// True if it is a module, false if it is built in
    #[serde(skip_serializing_if = "Option::is_none")]
    pub module: Option<bool>,
    /// The hooks for IPv4
    pub ipv4: Hooked,
    /// The hooks for IPv6
    pub ipv6: Hooked,
    /// The number of entries
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entries: Option<u32>,
    /// The value of `net.netfilter.nf_conntrack_max`
    #[serde(rename = "max_entries", skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// Settings that decide what rsct can show
    pub sysctls: Vec<Sysctl>,
}

/// The hooks of conntrack for a protocol family.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Hooked {
    /// True if packets pass conntrack; absent if the kernel does not report it
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hooked: Option<bool>,
    /// The reason why that is unknown
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// One of conntrack's settings.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Sysctl {
    /// The setting's name
    #[serde(rename = "sysctl", serialize_with = "whole_name")]
    #[schemars(with = "String")]
    pub name: &'static str,
    /// The value; absent if this kernel does not have the setting
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<u32>,
    /// The effect of the setting
    pub switches: &'static str,
}

fn whole_name<S: Serializer>(name: &&'static str, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("net.netfilter.{name}"))
}

/// A dump of conntrack's entries, up to the first.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Dump {
    /// True if the dump works
    pub works: bool,
    /// The reason why not
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// The obstacle to a trace.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(into = "ObstacleObject")]
pub(crate) enum Obstacle {
    /// Attaching was not tried, for another reason that the diagnosis has
    NotTried,
    /// This kernel's types are not what the programs need
    Types(String),
    /// Attaching failed
    Attaching(String),
    /// The kernel attached the programs and does not run them
    NotRun(String),
}

/// The obstacle to a trace, as JSON has it.
#[derive(Debug, Serialize, JsonSchema)]
struct ObstacleObject {
    /// The stage that failed: `not_tried` (for another reason that the diagnosis has), `types` (the kernel's types are not what the programs need), `attaching`, or `not_run` (the kernel attached the programs and does not run them)
    stage: &'static str,
    /// The reason
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

impl From<Obstacle> for ObstacleObject {
    fn from(obstacle: Obstacle) -> Self {
        let (stage, reason) = match obstacle {
            Obstacle::NotTried => ("not_tried", None),
            Obstacle::Types(reason) => ("types", Some(reason)),
            Obstacle::Attaching(reason) => ("attaching", Some(reason)),
            Obstacle::NotRun(reason) => ("not_run", Some(reason)),
        };
        Self { stage, reason }
    }
}

/// A hook.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Hook {
    /// The command that needs it: `trace`, `list` (for `--timeout-source`), `why` or `latency`
    pub command: &'static str,
    /// The kernel function
    pub function: &'static str,
    /// `fentry`, `kprobe`, `tracepoint` or `not attached`; absent if it was not tried
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attached: Option<&'static str>,
    /// The reasons why it is not attached, or not in the best form
    #[serde(rename = "reasons")]
    pub why_not_better: Vec<String>,
    /// True if the kernel's types describe the function; absent without types, and with a tracepoint
    #[serde(skip_serializing_if = "Option::is_none")]
    pub in_btf: Option<bool>,
    /// The facts that only this hook reports
    pub shows: &'static str,
    /// True if there is no trace without it
    pub essential: bool,
}

/// A field of a kernel struct.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Field {
    /// The struct
    pub of: &'static str,
    /// The member
    pub path: &'static str,
    /// The offset from the beginning of the struct, in bytes
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offset: Option<u32>,
    /// The number of bytes that are read
    #[serde(rename = "size_bytes")]
    pub bytes: u32,
    /// True if there is no trace without it
    pub required: bool,
    /// The reason why the kernel does not have it
    #[serde(skip_serializing_if = "Option::is_none")]
    pub absent: Option<String>,
}

/// An argument of a hooked function.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Argument {
    /// The kernel function
    pub function: &'static str,
    /// The parameter; `return` is the returned value
    pub name: &'static str,
    /// The position, from 0; the returned value is after the last parameter. Absent if the function has no parameter of that name
    #[serde(skip_serializing_if = "Option::is_none")]
    pub position: Option<u64>,
}
