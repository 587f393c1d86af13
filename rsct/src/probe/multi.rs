//! kprobe programs attached without perf events: for users without CAP_SYS_ADMIN where `kernel.perf_event_paranoid` is above 2.

use aya::Ebpf;

use crate::kernel::{
    btf::KernelTypes,
    facts,
    kprobe_multi::{self, KprobeMulti},
    privileges::{Capability, Privileges},
};

use super::{
    cast::Cast,
    detach,
    hooks::{At, Hook},
    object::Object,
    tracing::Tracing,
};

/// The global with the depth of the stack at a return: see `kprobe_multi::depth_at_return`.
pub(super) const DEPTH: &str = "RETURN_DEPTH";

/// The kprobe programs of a session in this form.
pub(super) struct Multi {
    linked: Tracing,
    /// The attached programs.
    pub(super) attached: Vec<KprobeMulti>,
}

/// Returns the depth of the stack at a return if kprobes have to be attached in this form, and can be.
pub(super) fn depth_if_needed(types: &KernelTypes) -> Option<Result<u64, String>> {
    let is_needed = facts::perf_event_paranoid().is_some_and(|paranoid| paranoid > 2)
        && Privileges::of_this_process().is_ok_and(|held| !held.has(Capability::SysAdmin));
    is_needed.then(|| kprobe_multi::depth_at_return(types).map_err(|error| error.to_string()))
}

impl Multi {
    /// Relocates the kprobe programs of `object` that the hooks need for the maps of the same names in `ebpf`.
    pub(super) fn link(
        object: &Object,
        ebpf: &Ebpf,
        hooks: &[&Hook],
        cast: Option<Cast>,
    ) -> Result<Self, String> {
        let programs = hooks
            .iter()
            .flat_map(|hook| hook.kprobe)
            .filter(|program| program.at != At::Tracepoint)
            .map(|program| program.name)
            .collect();
        Ok(Self {
            linked: Tracing::link_programs(object.bytes, ebpf, &programs, cast)?,
            attached: Vec::new(),
        })
    }

    /// Attaches the kprobe programs of a hook, the one at the return first.
    pub(super) fn attach(&mut self, hook: &Hook) -> Result<(), String> {
        let mut programs = Vec::new();
        for program in hook.kprobe.iter().rev() {
            let insns = self.linked.instructions(program.name)?;
            let at_return = program.at == At::Return;
            let attached = KprobeMulti::attach(program.name, &insns, hook.function, at_return);
            programs.push(attached.map_err(|error| error.to_string())?);
            detach::attached();
        }
        self.attached.extend(programs);
        Ok(())
    }
}

impl Drop for Multi {
    fn drop(&mut self) {
        detach::in_background();
    }
}
