//! What works on this machine and what does not, as data: `rsct doctor` without its looks.
//!
//! [`gather`] asks everything once, really attaching and letting go again, because settings and
//! versions tell only what should work; [`verdict`] draws the one conclusion. All of it serialises:
//! a diagnosis is what a report of a fault should come with.

mod ctnetlink;
mod gather;
mod hooks;
#[cfg(test)]
pub(crate) mod samples;
mod verdict;

use serde::Serialize;

pub use gather::gather;
pub use hooks::Held;

/// Everything that was found out.
#[derive(Debug, Serialize)]
pub struct Diagnosis {
    /// Whether `rsct trace` works here.
    pub can_trace: bool,
    /// Why it does not.
    pub reason: Option<String>,
    /// The kernel.
    pub kernel: Kernel,
    /// Its types.
    pub btf: Btf,
    /// What this process may do.
    pub privileges: Privileges,
    /// The smallest programs, offered.
    pub programs: Programs,
    /// Conntrack in this network namespace; `None` where it is not loaded.
    pub conntrack: Option<Conntrack>,
    /// Why it is unknown whether conntrack is loaded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conntrack_error: Option<&'static str>,
    /// Whether its entries can be dumped; not tried where it is not loaded, as asking loads it.
    pub ctnetlink: Option<Dump>,
    /// Whether the kernel runs attached programs; unknown where nothing is attached or the test failed.
    pub programs_run: Option<bool>,
    /// Why attaching failed, or was not tried.
    pub not_attached: Option<Obstacle>,
    /// Every hook of every command; empty of attachments where none were tried.
    pub hooks: Vec<Hook>,
    /// Every field the programs read; none where the kernel shows no types.
    pub fields: Vec<Field>,
    /// Every argument the programs use; none where the kernel shows no types.
    pub arguments: Vec<Argument>,
}

/// The kernel and how it is set up.
#[derive(Debug, Serialize)]
pub struct Kernel {
    /// As `uname -r` has it.
    pub release: String,
    /// Ticks per second.
    pub hz: Option<u32>,
    /// Why they are not known.
    pub hz_error: Option<String>,
    /// Whether programs are compiled; unknown where that cannot be switched or read.
    pub jit: Option<bool>,
    /// `none`, `integrity` or `confidentiality`; unknown without lockdown or securityfs.
    pub lockdown: Option<&'static str>,
}

/// The types that the kernel shows.
#[derive(Debug, Serialize)]
pub struct Btf {
    /// Whether they can be read.
    pub readable: bool,
    /// Why not.
    pub error: Option<String>,
    /// Those of conntrack's modules that have types of their own.
    pub modules: Vec<&'static str>,
}

/// What this process may do.
#[derive(Debug, Serialize)]
pub struct Privileges {
    /// Every capability that some part of rsct needs.
    pub capabilities: Vec<Capability>,
    /// Whether capabilities count: in a rootless container they do not.
    pub initial_user_namespace: bool,
    /// Why nothing is known.
    pub error: Option<String>,
}

/// A capability.
#[derive(Debug, Serialize)]
pub struct Capability {
    /// As capabilities(7) writes it.
    pub name: &'static str,
    /// What cannot be done without it.
    pub needed_for: &'static str,
    /// Whether tracing itself needs it.
    pub to_trace: bool,
    /// Whether it is held.
    pub held: bool,
}

/// Whether the kernel takes programs at all.
#[derive(Debug, Serialize)]
pub struct Programs {
    /// An fentry program; not tried where the kernel shows no types.
    pub fentry: Option<Trial>,
    /// A kprobe program.
    pub kprobe: Trial,
    /// Whether kprobe programs can be attached; unknown without sysfs.
    pub kprobe_events: Option<bool>,
}

impl Programs {
    /// Whether kprobe programs are of use: taken, and attachable as far as is known.
    fn kprobes_work(&self) -> bool {
        self.kprobe.accepted && self.kprobe_events != Some(false)
    }

    /// Whether there is a form worth attaching.
    fn any_works(&self) -> bool {
        self.kprobes_work() || self.fentry.as_ref().is_some_and(|trial| trial.accepted)
    }
}

/// A program that was offered.
#[derive(Debug, Serialize)]
pub struct Trial {
    /// Whether the kernel took it.
    pub accepted: bool,
    /// What it said if not, in a few words.
    pub answer: Option<String>,
    /// The same in a sentence, with what to do.
    pub refusal: Option<String>,
    /// Whether it said that this is not permitted.
    pub not_permitted: bool,
}

/// Conntrack in this network namespace.
#[derive(Debug, Serialize)]
pub struct Conntrack {
    /// Whether a module, or built in.
    pub module: Option<bool>,
    /// Whether IPv4 packets pass it.
    pub ipv4: Hooked,
    /// Whether IPv6 packets pass it.
    pub ipv6: Hooked,
    /// Entries now.
    pub entries: Option<u32>,
    /// Entries at most.
    pub limit: Option<u32>,
    /// Settings that decide what can be shown.
    pub sysctls: Vec<Sysctl>,
}

/// Whether conntrack is on the packet path.
#[derive(Debug, Serialize)]
pub struct Hooked {
    /// Whether it is; unknown where the kernel does not tell.
    pub hooked: Option<bool>,
    /// Why it does not tell.
    pub error: Option<String>,
}

/// One of conntrack's settings.
#[derive(Debug, Serialize)]
pub struct Sysctl {
    /// Its name under `net.netfilter`.
    pub name: &'static str,
    /// What it is set to; `None` where this kernel does not have it.
    pub value: Option<u32>,
    /// What it switches.
    pub switches: &'static str,
}

/// A dump of conntrack's entries, up to the first.
#[derive(Debug, Serialize)]
pub struct Dump {
    /// Whether the kernel gave it.
    pub works: bool,
    /// Why not.
    pub error: Option<String>,
}

/// Why nothing is attached.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case", tag = "stage", content = "why")]
pub enum Obstacle {
    /// It was not tried, for another reason that the diagnosis has.
    NotTried,
    /// This kernel's types are not what the programs need.
    Types(String),
    /// It was tried.
    Attaching(String),
    /// The kernel attached the programs and does not run them.
    NotRun(String),
}

/// A hook.
#[derive(Debug, Serialize)]
pub struct Hook {
    /// The command of rsct that needs it: `trace`, `list` (for `--timeout-source`), `why` or `latency`.
    pub command: &'static str,
    /// The kernel function.
    pub function: &'static str,
    /// `fentry`, `kprobe` or `not attached`; `None` where it was not tried.
    pub attached: Option<&'static str>,
    /// Why not in a better way.
    pub why_not_better: Vec<String>,
    /// Whether the kernel's types describe the function; unknown where there are none, and of a tracepoint.
    pub in_btf: Option<bool>,
    /// What is not seen without it.
    pub shows: &'static str,
    /// Whether there is no trace at all without it.
    pub essential: bool,
}

/// A field of a kernel struct.
#[derive(Debug, Serialize)]
pub struct Field {
    /// The struct.
    pub of: &'static str,
    /// The member.
    pub path: &'static str,
    /// Bytes from the struct's start.
    pub offset: Option<u32>,
    /// Bytes that are read.
    pub bytes: u32,
    /// Whether there is no trace without it.
    pub required: bool,
    /// Why it is not there.
    pub absent: Option<String>,
}

/// An argument of a hooked function.
#[derive(Debug, Serialize)]
pub struct Argument {
    /// The kernel function.
    pub function: &'static str,
    /// The parameter; `return` is the value returned.
    pub name: &'static str,
    /// Which one it is, from 0; the value returned comes after the last. `None` where the kernel's
    /// function has none of that name.
    pub position: Option<u64>,
}
