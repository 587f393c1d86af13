//! What commands that attach probes have in common.

use clap::ValueEnum;

use crate::{
    kernel::{
        conntrack::Conntrack,
        privileges::{Capability, Privileges},
    },
    probe::session::{Form, SessionError},
};

/// How to attach.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum AttachArg {
    /// For each hook the best that works.
    #[default]
    Auto,
    /// fentry and fexit only.
    Fentry,
    /// kprobe and kretprobe only.
    Kprobe,
}

impl AttachArg {
    /// What it means.
    pub(super) fn form(self) -> Form {
        match self {
            Self::Auto => Form::Best,
            Self::Fentry => Form::Fentry,
            Self::Kprobe => Form::Kprobe,
        }
    }
}

/// What stands behind the kernel's refusal, where that is known: what follows from it would say less.
pub(super) fn why_not(error: SessionError) -> anyhow::Error {
    let missing: Vec<&str> = match Privileges::of_this_process() {
        Ok(held) => [Capability::Bpf, Capability::Perfmon]
            .into_iter()
            .filter(|capability| !held.has(*capability))
            .map(Capability::name)
            .collect(),
        Err(_) => Vec::new(),
    };
    if !missing.is_empty() {
        return anyhow::anyhow!("this process lacks {}: run rsct as root", missing.join(" and "));
    }
    match Conntrack::here() {
        Conntrack::Absent => anyhow::anyhow!("conntrack is not loaded: run `modprobe nf_conntrack`"),
        Conntrack::Present(_) => error.into(),
    }
}
