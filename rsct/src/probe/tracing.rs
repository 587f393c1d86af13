//! fentry and fexit on a module's functions.
//!
//! The kernel wants to be told in whose BTF the function is (`attach_btf_obj_fd`); aya 0.16 tells it
//! only the function's id, so its `FEntry::load` finds vmlinux's functions and no module's (aya issue
//! 300). Until aya can, this file does that part: it links the same object against the maps that aya
//! made, and loads programs from it with both. When aya has it, this file goes.

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
    detach,
    hooks::{At, Hook, Program},
    specialize::{Rodata, specialize},
};

/// The object, linked against maps that exist already.
pub struct Tracing {
    functions: HashMap<String, Function>,
    /// What the programs are specialized by, where the object has it.
    rodata: Option<Rodata>,
    /// The fd of each module's BTF.
    modules: HashMap<String, OwnedFd>,
}

impl Tracing {
    /// Links those programs of `object` that the hooks need against the maps of `ebpf`, which was loaded from it.
    pub fn link(object: &[u8], ebpf: &Ebpf, hooks: &[&Hook]) -> Result<Self, String> {
        let mut object = Object::parse(object).map_err(|error| error.to_string())?;
        // Linking asks a hash table for every instruction: of the kprobes' it would be in vain.
        object
            .programs
            .retain(|name, _| trampolines(hooks).any(|program| program.name == name));
        let fds: HashMap<&str, RawFd> = ebpf
            .maps()
            .filter_map(|(name, map)| Some((name, data(map)?.fd().as_fd().as_raw_fd())))
            .collect();
        let text_sections: HashSet<usize> = object.functions.keys().map(|(section, _)| *section).collect();
        let maps = std::mem::take(&mut object.maps);
        let linked = maps
            .iter()
            .filter_map(|(name, map)| Some((name.as_str(), *fds.get(name.as_str())?, map)));
        object
            .relocate_maps(linked, &text_sections)
            .map_err(|error| error.to_string())?;
        object
            .relocate_calls(&text_sections)
            .map_err(|error| error.to_string())?;
        let functions = object
            .programs
            .iter()
            .filter_map(|(name, program)| {
                Some((name.clone(), object.functions.remove(&program.function_key())?))
            })
            .collect();
        Ok(Self {
            functions,
            rodata: rodata(ebpf)?,
            modules: HashMap::new(),
        })
    }

    /// Loads `program` for `function` and attaches it; it stays attached while the fds are open.
    pub fn attach(&mut self, program: Program, function: &Func) -> Result<Attached, String> {
        let program = self.load(program, function)?;
        let link = bpf_syscall::raw_tracepoint_open(program.as_fd()).map_err(|error| error.to_string())?;
        detach::attached();
        Ok(Attached { program, _link: link })
    }

    /// Loads `program` for `function`, and no more.
    pub fn load(&mut self, program: Program, function: &Func) -> Result<OwnedFd, String> {
        let code = self
            .functions
            .get(program.name)
            .ok_or_else(|| format!("the object has no program {}", program.name))?;
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
        let specialized = self
            .rodata
            .as_ref()
            .map(|rodata| specialize(&code.instructions, rodata));
        let insns = specialized.as_deref().unwrap_or(&code.instructions);
        load(program, insns, function.type_id, module)
    }
}

/// A program that runs, for as long as this is kept.
pub struct Attached {
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

/// The constants as the kernel has them: the loader put its findings in, and froze the map.
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

/// The programs that can be loaded here.
fn trampolines<'a>(hooks: &'a [&Hook]) -> impl Iterator<Item = &'static Program> + 'a {
    hooks.iter().flat_map(|hook| hook.trampoline)
}

/// The kinds of maps that the object has.
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
