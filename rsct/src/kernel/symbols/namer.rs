//! Looks up the symbol at an address with the kernel's `%pS`. This also works for addresses that
//! `kernel.kptr_restrict` hides in /proc/kallsyms.

use std::{
    io,
    os::fd::{AsFd as _, OwnedFd},
};

use aya_obj::generated::{bpf_func_id, bpf_insn};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::{
    super::{
        bpf_syscall::BpfError,
        insn::{self, FRAME, R1, R2, R3, R4, R5, R6},
    },
    program::{Program, constant},
};

/// Size of a symbol's text. A longer one stays unknown: a program's stack has 512 bytes.
const TEXT_BYTES: usize = 256;

/// Input and output of the program.
#[derive(FromBytes, Immutable, IntoBytes, KnownLayout)]
#[repr(C)]
struct Context {
    address: u64,
    text: [u8; TEXT_BYTES],
}

/// Looks up names of addresses.
#[derive(Debug)]
pub(in super::super) struct Namer {
    program: Program,
}

/// A symbol, and the offset of an address in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct Named {
    pub(in super::super) function: String,
    pub(in super::super) offset: u64,
    pub(in super::super) module: Option<String>,
}

impl Namer {
    /// Loads the program; an error if this kernel cannot name addresses.
    pub(in super::super) fn load() -> Result<Self, BpfError> {
        let format = constant(b"%pS\0")?;
        let namer = Self {
            program: Program::load(&instructions(&format))?,
        };
        // The kernel prints an address without a symbol as a number, and without CONFIG_KALLSYMS in 16
        // digits.
        if namer.text(0)?.as_deref() != Some("0x0") {
            return Err(BpfError::TestRun(io::ErrorKind::Unsupported.into()));
        }
        Ok(namer)
    }

    /// The symbol that contains an address, if any.
    pub(in super::super) fn name(&self, address: u64) -> Result<Option<Named>, BpfError> {
        Ok(self.text(address)?.and_then(|text| Named::parse(&text)))
    }

    fn text(&self, address: u64) -> Result<Option<String>, BpfError> {
        let mut context = Context {
            address,
            text: [0; TEXT_BYTES],
        };
        // The length includes the NUL and is that of the full text, even if it was cut.
        let length = self.program.run(&mut context)?;
        if let Some(errno) = length.checked_neg().filter(|errno| *errno > 0) {
            return Err(BpfError::TestRun(io::Error::from_raw_os_error(errno)));
        }
        let text = context
            .text
            .get(..length.unsigned_abs().saturating_sub(1) as usize);
        Ok(text.map(|text| String::from_utf8_lossy(text).into_owned()))
    }
}

impl Named {
    /// Parses `nf_confirm+0x3a/0x1d0 [nf_conntrack]`. An address without a symbol has no `+`.
    fn parse(text: &str) -> Option<Self> {
        let (symbol, module) = match text.split_once(' ') {
            Some((symbol, module)) => (symbol, Some(module.strip_prefix('[')?.strip_suffix(']')?)),
            None => (text, None),
        };
        let (function, offset) = symbol.rsplit_once('+')?;
        let (offset, _size) = offset.split_once('/')?;
        Some(Self {
            function: function.to_owned(),
            offset: u64::from_str_radix(offset.strip_prefix("0x")?, 16).ok()?,
            module: module.map(str::to_owned),
        })
    }
}

/// `return bpf_snprintf(context->text, sizeof(context->text), "%pS", &context->address, 8)`, with a copy on
/// the stack: helpers accept a pointer into the context only from Linux 6.1 on.
fn instructions(format: &OwnedFd) -> Vec<bpf_insn> {
    const TEXT: i16 = -(TEXT_BYTES as i16);
    const ADDRESS: i16 = TEXT - 8;
    let words = || (0..TEXT_BYTES as i16).step_by(8);
    let mut program = vec![
        insn::copy(R6, R1),
        insn::load(R1, R6, 0),
        insn::store(FRAME, ADDRESS, R1),
        insn::set(R1, 0),
    ];
    program.extend(words().map(|word| insn::store(FRAME, TEXT + word, R1)));
    program.extend([
        insn::copy(R1, FRAME),
        insn::add(R1, TEXT.into()),
        insn::set(R2, TEXT_BYTES as i32),
    ]);
    program.extend(insn::load_value(R3, format.as_fd()));
    program.extend([
        insn::copy(R4, FRAME),
        insn::add(R4, ADDRESS.into()),
        insn::set(R5, 8),
        insn::call(bpf_func_id::BPF_FUNC_snprintf),
    ]);
    for word in words() {
        program.push(insn::load(R1, FRAME, TEXT + word));
        program.push(insn::store(R6, 8 + word, R1));
    }
    program.push(insn::exit());
    program
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn symbol_text_is_parsed() {
        let named = |function: &str, offset, module: Option<&str>| {
            Some(Named {
                function: function.to_owned(),
                offset,
                module: module.map(str::to_owned),
            })
        };
        assert_eq!(Named::parse("vfs_read+0x0/0x330"), named("vfs_read", 0, None));
        assert_eq!(
            Named::parse("init_conntrack.constprop.0+0x3a/0x4d0 [nf_conntrack]"),
            named("init_conntrack.constprop.0", 0x3a, Some("nf_conntrack"))
        );
        assert_eq!(Named::parse("0xffffffff81a00000"), None);
        assert_eq!(Named::parse(""), None);
    }
}
