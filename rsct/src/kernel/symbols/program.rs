//! Programs that rsct runs directly and attaches to nothing (`BPF_PROG_TYPE_SYSCALL`): they call helpers that
//! look up symbols, which no system call does.

use std::os::fd::{AsRawFd as _, OwnedFd};

use aya_obj::generated::{
    BPF_F_RDONLY_PROG, BPF_F_SLEEPABLE, bpf_cmd, bpf_insn, bpf_map_type, bpf_prog_type,
};
use zerocopy::{FromBytes, IntoBytes};

use super::super::bpf_syscall::{BpfError, ProgLoad, call, call_fd, zeroed_attr};

/// A loaded program.
#[derive(Debug)]
pub(super) struct Program(OwnedFd);

impl Program {
    /// Loads the program.
    pub(super) fn load(insns: &[bpf_insn]) -> Result<Self, BpfError> {
        let load = ProgLoad {
            name: "rsct_symbols",
            prog_type: bpf_prog_type::BPF_PROG_TYPE_SYSCALL,
            prog_flags: BPF_F_SLEEPABLE,
            expected_attach_type: None,
            insns,
            license: c"GPL",
            attach_btf_id: 0,
            attach_btf_obj: None,
            prog_btf: None,
            fd_array: &[],
            kern_version: 0,
        };
        load.load().map(Self)
    }

    /// Runs the program once: it reads and writes `context`. Returns its return value.
    pub(super) fn run<C: FromBytes + IntoBytes>(&self, context: &mut C) -> Result<i32, BpfError> {
        let context = context.as_mut_bytes();
        let mut attr = zeroed_attr();
        attr.test.prog_fd = self.0.as_raw_fd().cast_unsigned();
        attr.test.ctx_in = context.as_mut_ptr().expose_provenance() as u64;
        attr.test.ctx_size_in = context.len() as u32;
        // SAFETY: the only address is that of `context`, whose type accepts any bytes.
        unsafe { call(bpf_cmd::BPF_PROG_TEST_RUN, &mut attr) }.map_err(BpfError::TestRun)?;
        // SAFETY: the kernel has written the variant that this command uses.
        Ok(unsafe { attr.test.retval }.cast_signed())
    }
}

/// Creates a frozen map with these bytes: the verifier requires that a format string cannot change.
pub(super) fn constant(bytes: &[u8]) -> Result<OwnedFd, BpfError> {
    let mut attr = zeroed_attr();
    // SAFETY: all variants are plain integers, and this one is what BPF_MAP_CREATE reads.
    let create = unsafe { &mut attr.__bindgen_anon_1 };
    create.map_type = bpf_map_type::BPF_MAP_TYPE_ARRAY as u32;
    create.key_size = size_of::<u32>() as u32;
    create.value_size = bytes.len() as u32;
    create.max_entries = 1;
    create.map_flags = BPF_F_RDONLY_PROG;
    // SAFETY: the struct holds no address, and the call returns a map descriptor.
    let map = unsafe { call_fd(bpf_cmd::BPF_MAP_CREATE, &mut attr) }.map_err(BpfError::Map)?;

    let first = 0_u32;
    let mut attr = zeroed_attr();
    attr.__bindgen_anon_2.map_fd = map.as_raw_fd().cast_unsigned();
    attr.__bindgen_anon_2.key = std::ptr::from_ref(&first).expose_provenance() as u64;
    attr.__bindgen_anon_2.__bindgen_anon_1.value = bytes.as_ptr().expose_provenance() as u64;
    // SAFETY: the addresses are those of a key and a value as large as the map's, which are read.
    unsafe { call(bpf_cmd::BPF_MAP_UPDATE_ELEM, &mut attr) }.map_err(BpfError::Map)?;

    let mut attr = zeroed_attr();
    attr.__bindgen_anon_2.map_fd = map.as_raw_fd().cast_unsigned();
    // SAFETY: the struct holds no address.
    unsafe { call(bpf_cmd::BPF_MAP_FREEZE, &mut attr) }.map_err(BpfError::Map)?;
    Ok(map)
}
