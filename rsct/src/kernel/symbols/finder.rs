//! Looks up a symbol's address by name (`bpf_kallsyms_lookup_name`, Linux 5.16 on).

use std::io;

use aya_obj::generated::{bpf_func_id, bpf_insn};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::{
    super::{
        bpf_syscall::BpfError,
        insn::{self, FRAME, R1, R2, R3, R4, R6},
    },
    program::Program,
};

/// Size of a name and its NUL.
const NAME_BYTES: usize = 128;

/// Input and output of the program.
#[derive(FromBytes, Immutable, IntoBytes, KnownLayout)]
#[repr(C)]
struct Context {
    name: [u8; NAME_BYTES],
    address: u64,
}

/// Finds symbols of any kind.
#[derive(Debug)]
pub(super) struct Finder {
    program: Program,
}

/// Result of a lookup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// Address of the first symbol with the name.
    At(u64),
    /// No symbol has the name.
    Nowhere,
    /// This process may not see addresses, nor does /proc/kallsyms show them (`kallsyms_show_value` in the
    /// kernel).
    Hidden,
}

impl Finder {
    /// Loads the program.
    pub(super) fn load() -> Result<Self, BpfError> {
        Ok(Self {
            program: Program::load(&instructions())?,
        })
    }

    /// Finds a symbol of the kernel or, if there is none, of a module.
    pub(super) fn find(&self, name: &str) -> Result<Found, BpfError> {
        let mut context = Context {
            name: [0; NAME_BYTES],
            address: 0,
        };
        // The last byte stays zero.
        let Some(buffer) = context.name[..NAME_BYTES - 1].get_mut(..name.len()) else {
            return Err(BpfError::TestRun(io::ErrorKind::InvalidInput.into()));
        };
        buffer.copy_from_slice(name.as_bytes());
        match -self.program.run(&mut context)? {
            0 => Ok(Found::At(context.address)),
            libc::ENOENT => Ok(Found::Nowhere),
            libc::EPERM => Ok(Found::Hidden),
            errno => Err(BpfError::TestRun(io::Error::from_raw_os_error(errno))),
        }
    }
}

/// `return bpf_kallsyms_lookup_name(context->name, sizeof(context->name), 0, &context->address)`, with a copy
/// on the stack: helpers accept a pointer into the context only from Linux 6.1 on.
fn instructions() -> Vec<bpf_insn> {
    const ADDRESS: i16 = -8;
    const NAME: i16 = ADDRESS - NAME_BYTES as i16;
    let mut program = vec![insn::copy(R6, R1)];
    for offset in (0..NAME_BYTES as i16).step_by(8) {
        program.push(insn::load(R1, R6, offset));
        program.push(insn::store(FRAME, NAME + offset, R1));
    }
    program.extend([
        insn::set(R1, 0),
        insn::store(FRAME, ADDRESS, R1),
        insn::copy(R1, FRAME),
        insn::add(R1, NAME.into()),
        insn::set(R2, NAME_BYTES as i32),
        insn::set(R3, 0),
        insn::copy(R4, FRAME),
        insn::add(R4, ADDRESS.into()),
        insn::call(bpf_func_id::BPF_FUNC_kallsyms_lookup_name),
        insn::load(R1, FRAME, ADDRESS),
        insn::store(R6, NAME_BYTES as i16, R1),
        insn::exit(),
    ]);
    program
}
