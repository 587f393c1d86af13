//! kprobes without perf events (`BPF_TRACE_KPROBE_MULTI`, Linux 5.18 on with CONFIG_FPROBE).
//!
//! aya attaches kprobes as perf events, which Debian's default `kernel.perf_event_paranoid=3` refuses to everybody without
//! CAP_SYS_ADMIN. This form needs CAP_BPF and CAP_PERFMON only. aya does not have it.

use std::{
    ffi::CString,
    io,
    os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd},
};

use aya_obj::generated::{
    BPF_F_KPROBE_MULTI_RETURN, bpf_attach_type, bpf_cmd, bpf_insn, bpf_link_info, bpf_map_type, bpf_prog_type,
};

use super::{
    bpf_map,
    bpf_syscall::{self, BpfError, ProgLoad, call_fd, object_info, zeroed_attr},
    btf::KernelTypes,
    insn::{self, R0, R1, R2, R3},
};

/// A program attached to a function; dropping it detaches the program.
#[derive(Debug)]
pub(crate) struct KprobeMulti {
    program: OwnedFd,
    link: OwnedFd,
}

impl KprobeMulti {
    /// Loads a program and attaches it to the entry of a function, or to its return.
    pub(crate) fn attach(
        name: &str,
        insns: &[bpf_insn],
        function: &str,
        at_return: bool,
    ) -> Result<Self, BpfError> {
        let load = ProgLoad {
            name,
            prog_type: bpf_prog_type::BPF_PROG_TYPE_KPROBE,
            prog_flags: 0,
            expected_attach_type: Some(bpf_attach_type::BPF_TRACE_KPROBE_MULTI),
            insns,
            license: c"Dual MIT/GPL",
            attach_btf_id: 0,
            attach_btf_obj: None,
            prog_btf: None,
            fd_array: &[],
            kern_version: 0,
        };
        let program = load.load()?;
        let link = link(program.as_fd(), function, at_return).map_err(BpfError::Attach)?;
        Ok(Self { program, link })
    }

    /// The program.
    pub(crate) fn program(&self) -> BorrowedFd<'_> {
        self.program.as_fd()
    }

    /// Number of runs that the kernel skipped, and counted for the link (Linux 6.7 on).
    pub(crate) fn missed(&self) -> u64 {
        // SAFETY: the struct is plain integers.
        let mut info: bpf_link_info = unsafe { std::mem::zeroed() };
        // SAFETY: the struct is a link's, without an address.
        match unsafe { object_info(&self.link, &mut info) } {
            // SAFETY: plain integers, and for this link it is the variant.
            Ok(()) => unsafe { info.__bindgen_anon_1.kprobe_multi.missed },
            Err(_) => 0,
        }
    }
}

fn link(program: BorrowedFd<'_>, function: &str, at_return: bool) -> io::Result<OwnedFd> {
    let function = CString::new(function).map_err(|_| io::ErrorKind::InvalidInput)?;
    let names = [function.as_ptr().expose_provenance() as u64];
    let mut attr = zeroed_attr();
    // SAFETY: all variants are plain integers, and this one is what BPF_LINK_CREATE reads.
    let create = unsafe { &mut attr.link_create };
    create.__bindgen_anon_1.prog_fd = program.as_raw_fd().cast_unsigned();
    create.attach_type = bpf_attach_type::BPF_TRACE_KPROBE_MULTI as u32;
    // SAFETY: as above.
    let multi = unsafe { &mut create.__bindgen_anon_3.kprobe_multi };
    multi.flags = if at_return { BPF_F_KPROBE_MULTI_RETURN } else { 0 };
    multi.cnt = 1;
    multi.syms = names.as_ptr().expose_provenance() as u64;
    // SAFETY: the address is that of one address of a string; both outlive the call, which returns a descriptor.
    unsafe { call_fd(bpf_cmd::BPF_LINK_CREATE, &mut attr) }
}

/// The offset of the stack pointer in `struct pt_regs`.
#[cfg(target_arch = "x86_64")]
const STACK_POINTER: i16 = 152;
#[cfg(target_arch = "aarch64")]
const STACK_POINTER: i16 = 248;
/// The bytes by which the stack pointer is lower at a function's entry than after its return.
#[cfg(target_arch = "x86_64")]
const RETURN_ADDRESS: u64 = 8;
#[cfg(target_arch = "aarch64")]
const RETURN_ADDRESS: u64 = 0;
/// A function that a test run of a tracing program calls.
const FUNCTION: &str = "bpf_fentry_test1";

/// Measures how much lower than after the return of a function the stack pointer is that a program at the return sees: 0
/// with a kretprobe, the size of the saved registers from Linux 6.14 on.
pub(crate) fn depth_at_return(types: &KernelTypes) -> Result<u64, BpfError> {
    let absent = || BpfError::TestRun(io::ErrorKind::Unsupported.into());
    let function = types.func(FUNCTION).ok().flatten().ok_or_else(absent)?;
    let values = array(2 * size_of::<u64>() as u32)?;
    let store = |offset: i16| {
        let mut program = vec![insn::load(R2, R1, STACK_POINTER)];
        program.extend(insn::load_value(R3, values.as_fd()));
        program.extend([insn::store(R3, offset, R2), insn::set(R0, 0), insn::exit()]);
        program
    };
    let _entry = KprobeMulti::attach("rsct_entry", &store(0), FUNCTION, false)?;
    let _return = KprobeMulti::attach("rsct_return", &store(8), FUNCTION, true)?;
    let caller = ProgLoad {
        name: "rsct_caller",
        prog_type: bpf_prog_type::BPF_PROG_TYPE_TRACING,
        prog_flags: 0,
        expected_attach_type: Some(bpf_attach_type::BPF_TRACE_FENTRY),
        insns: &[insn::set(R0, 0), insn::exit()],
        license: c"Dual MIT/GPL",
        attach_btf_id: function.type_id,
        attach_btf_obj: None,
        prog_btf: None,
        fd_array: &[],
        kern_version: 0,
    };
    bpf_syscall::prog_test_run(caller.load()?.as_fd(), &[], 0)?;
    let values = bpf_map::first_value(values.as_fd())?;
    let (words, _) = values.as_chunks::<8>();
    match words {
        [entry, at_return] => {
            depth(u64::from_ne_bytes(*entry), u64::from_ne_bytes(*at_return)).ok_or_else(absent)
        }
        _ => Err(absent()),
    }
}

/// The depth, from the stack pointers at the entry and at the return.
fn depth(entry: u64, at_return: u64) -> Option<u64> {
    const PLAUSIBLE: u64 = 4096;
    // Zero: one of the programs did not run.
    let is_measured = entry != 0 && at_return != 0;
    let depth = (entry + RETURN_ADDRESS).wrapping_sub(at_return);
    (is_measured && depth < PLAUSIBLE).then_some(depth)
}

/// Creates an array of one value.
fn array(bytes: u32) -> Result<OwnedFd, BpfError> {
    let mut attr = zeroed_attr();
    // SAFETY: all variants are plain integers, and this one is what BPF_MAP_CREATE reads.
    let create = unsafe { &mut attr.__bindgen_anon_1 };
    create.map_type = bpf_map_type::BPF_MAP_TYPE_ARRAY as u32;
    create.key_size = size_of::<u32>() as u32;
    create.value_size = bytes;
    create.max_entries = 1;
    // SAFETY: the struct holds no address, and the call returns a map descriptor.
    unsafe { call_fd(bpf_cmd::BPF_MAP_CREATE, &mut attr) }.map_err(BpfError::Map)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_depth_is_the_distance_below_the_returned_stack() {
        let entry = 0xffff_c900_0000_1000;
        assert_eq!(depth(entry, entry + RETURN_ADDRESS), Some(0));
        assert_eq!(depth(entry, entry + RETURN_ADDRESS - 176), Some(176));
        // A program did not run, or saw something else.
        assert_eq!(depth(0, entry), None);
        assert_eq!(depth(entry, 0), None);
        assert_eq!(depth(entry, entry - 8192), None);
        assert_eq!(depth(entry, entry + 64), None);
    }
}
