//! fentry and fexit on a module's functions.
//!
//! The kernel needs the BTF of the function's module (`attach_btf_obj_fd`); aya 0.16 passes only the function's id,
//! so its `FEntry::load` finds functions of vmlinux but not of modules (aya issue 300). Until aya supports it, this
//! file relocates fentry and fexit programs for the maps that aya created, and loads them with both. Remove the file
//! when aya supports it.

use std::{
    collections::{HashMap, HashSet},
    os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd, RawFd},
};

use aya::{
    Ebpf,
    maps::{Map, MapData},
};
use aya_obj::{Function, Object};

use aya_obj::generated::{bpf_attach_type, bpf_insn, bpf_prog_type};

use crate::kernel::{
    bpf_map,
    bpf_syscall::{self, ProgLoad},
    btf::Func,
};

use super::{
    cast::Cast,
    detach,
    hooks::{At, Hook, Program},
    specialize::{Rodata, specialize},
};

/// The programs of the hooks, relocated for existing maps.
pub(super) struct Tracing {
    object: Object,
    text_sections: HashSet<usize>,
    /// Programs whose calls are not linked yet: each is linked when it is loaded.
    unlinked: HashMap<String, aya_obj::Program>,
    linked: HashMap<String, Function>,
    /// The constants by which programs are specialized, if the object has any.
    rodata: Option<Rodata>,
    cast: Option<Cast>,
    /// The fd of each module's BTF.
    modules: HashMap<String, OwnedFd>,
}

impl Tracing {
    /// Relocates the fentry and fexit programs of `object` that the hooks need for the maps of the same names in `ebpf`.
    pub(super) fn link(
        object: &[u8],
        ebpf: &Ebpf,
        hooks: &[&Hook],
        cast: Option<Cast>,
    ) -> Result<Self, String> {
        let programs = trampolines(hooks).map(|program| program.name).collect();
        Self::link_programs(object, ebpf, &programs, cast)
    }

    /// Relocates some programs of `object`.
    pub(super) fn link_programs(
        object: &[u8],
        ebpf: &Ebpf,
        programs: &HashSet<&str>,
        cast: Option<Cast>,
    ) -> Result<Self, String> {
        let mut object = Object::parse(object).map_err(|error| error.to_string())?;
        let text_sections: HashSet<usize> = object.functions.keys().map(|(section, _)| *section).collect();
        let (unlinked, unneeded): (HashMap<_, _>, HashMap<_, _>) = std::mem::take(&mut object.programs)
            .into_iter()
            .partition(|(name, _)| programs.contains(name.as_str()));
        for program in unneeded.values() {
            object.functions.remove(&program.function_key());
        }
        let fds: HashMap<&str, RawFd> = ebpf
            .maps()
            .filter_map(|(name, map)| Some((name, data(map)?.fd().as_fd().as_raw_fd())))
            .collect();
        let maps = std::mem::take(&mut object.maps);
        let existing = maps
            .iter()
            .filter_map(|(name, map)| Some((name.as_str(), *fds.get(name.as_str())?, map)));
        object
            .relocate_maps(existing, &text_sections)
            .map_err(|error| error.to_string())?;
        Ok(Self {
            object,
            text_sections,
            unlinked,
            linked: HashMap::new(),
            rodata: rodata(ebpf)?,
            cast,
            modules: HashMap::new(),
        })
    }

    /// Appends the functions that a program calls, unless already done.
    fn link_calls(&mut self, name: &str) -> Result<(), String> {
        if let Some((name, program)) = self.unlinked.remove_entry(name) {
            let key = program.function_key();
            self.object.programs = HashMap::from([(name.clone(), program)]);
            self.object
                .relocate_calls(&self.text_sections)
                .map_err(|error| error.to_string())?;
            if let Some(function) = self.object.functions.remove(&key) {
                self.linked.insert(name, function);
            }
        }
        Ok(())
    }

    /// Loads `program` for `function` and attaches it; it stays attached while the fds are open.
    pub(super) fn attach(&mut self, program: Program, function: &Func) -> Result<Attached, String> {
        let program = self.load(program, function)?;
        let link = bpf_syscall::raw_tracepoint_open(program.as_fd()).map_err(|error| error.to_string())?;
        detach::attached();
        Ok(Attached { program, _link: link })
    }

    /// The instructions of a program, specialized for this kernel.
    pub(super) fn instructions(&mut self, program: &str) -> Result<Vec<bpf_insn>, String> {
        self.link_calls(program)?;
        let code = self
            .linked
            .get(program)
            .ok_or_else(|| format!("the object has no program {program}"))?;
        let mut insns = match &self.rodata {
            Some(rodata) => specialize(&code.instructions, rodata),
            None => code.instructions.clone(),
        };
        if let Some(cast) = self.cast {
            cast.link(&mut insns);
        }
        Ok(insns)
    }

    /// Loads `program` for `function`, without attaching it.
    pub(super) fn load(&mut self, program: Program, function: &Func) -> Result<OwnedFd, String> {
        let insns = self.instructions(program.name)?;
        let module = match &function.module {
            None => None,
            Some(name) => {
                if !self.modules.contains_key(name) {
                    let fd = bpf_syscall::btf_fd_of_module(name).map_err(|error| error.to_string())?;
                    self.modules.insert(name.clone(), fd);
                }
                self.modules.get(name).map(|fd| fd.as_fd())
            }
        };
        load(program, &insns, function.type_id, module)
    }
}

/// An attached program; dropping it detaches the program.
pub(super) struct Attached {
    /// The program.
    pub program: OwnedFd,
    _link: OwnedFd,
}

impl Drop for Attached {
    fn drop(&mut self) {
        detach::in_background();
    }
}

fn load(
    program: Program,
    insns: &[bpf_insn],
    function: u32,
    module: Option<BorrowedFd<'_>>,
) -> Result<OwnedFd, String> {
    let at = match program.at {
        At::Entry => bpf_attach_type::BPF_TRACE_FENTRY,
        At::Return => bpf_attach_type::BPF_TRACE_FEXIT,
        At::Tracepoint => return Err("a tracepoint is not a function".to_owned()),
    };
    let load = ProgLoad {
        name: program.name,
        prog_type: bpf_prog_type::BPF_PROG_TYPE_TRACING,
        prog_flags: 0,
        expected_attach_type: Some(at),
        insns,
        license: c"Dual MIT/GPL",
        attach_btf_id: function,
        attach_btf_obj: module,
        prog_btf: None,
        fd_array: &[],
        kern_version: 0,
    };
    load.load().map_err(|error| error.to_string())
}

/// Reads the constants from the kernel: the loader wrote them, and froze the map.
fn rodata(ebpf: &Ebpf) -> Result<Option<Rodata>, String> {
    let Some(map) = ebpf.map(".rodata").and_then(data) else {
        return Ok(None);
    };
    let fd = map.fd().as_fd();
    let bytes = bpf_map::first_value(fd).map_err(|error| error.to_string())?;
    Ok(Some(Rodata {
        fd: fd.as_raw_fd(),
        bytes,
    }))
}

/// The fentry and fexit programs of the hooks.
fn trampolines<'a>(hooks: &'a [&Hook]) -> impl Iterator<Item = &'static Program> + 'a {
    hooks.iter().flat_map(|hook| hook.trampoline)
}

/// Returns the data of a map, for the types in the objects.
fn data(map: &Map) -> Option<&MapData> {
    match map {
        Map::Array(data)
        | Map::HashMap(data)
        | Map::PerCpuArray(data)
        | Map::PerCpuHashMap(data)
        | Map::RingBuf(data) => Some(data),
        _ => None,
    }
}
