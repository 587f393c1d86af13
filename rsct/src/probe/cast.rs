//! The kernel function with which programs cast a number to a typed pointer: see `rsct_common::cast`.

use aya_obj::generated::{BPF_CALL, BPF_JMP, BPF_PSEUDO_KFUNC_CALL, bpf_insn};
use rsct_common::{cast::RDONLY_CAST, field::FIELDS};

use crate::kernel::btf::KernelTypes;

/// Ids in vmlinux's BTF.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cast {
    /// `bpf_rdonly_cast`.
    pub function: u32,
    /// `struct nf_conn`.
    pub nf_conn: u32,
}

impl Cast {
    /// Finds both; none before Linux 6.2, and none if vmlinux describes no such struct, or another.
    pub(crate) fn find(types: &KernelTypes) -> Option<Self> {
        let fields = FIELDS.iter().filter(|field| field.of == "nf_conn");
        let paths: Vec<&str> = fields
            .filter(|field| types.field(field.of, field.path).is_ok())
            .map(|field| field.path)
            .collect();
        Some(Self {
            function: types.vmlinux_func("bpf_rdonly_cast")?,
            nf_conn: types.vmlinux_struct("nf_conn", &paths)?,
        })
    }

    /// Replaces the calls of a helper that does not exist by calls of the function.
    pub(super) fn link(self, program: &mut [bpf_insn]) {
        for insn in program {
            let is_call = u32::from(insn.code) == BPF_JMP | BPF_CALL && insn.src_reg() == 0;
            if is_call && insn.imm == RDONLY_CAST {
                insn.set_src_reg(BPF_PSEUDO_KFUNC_CALL as u8);
                insn.imm = self.function.cast_signed();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_missing_helper_is_replaced() {
        let cast = Cast {
            function: 56_623,
            nf_conn: 33_315,
        };
        let call = |src, imm| bpf_insn {
            code: (BPF_JMP | BPF_CALL) as u8,
            _bitfield_1: bpf_insn::new_bitfield_1(0, src),
            off: 0,
            imm,
        };
        let mut program = [call(0, RDONLY_CAST), call(0, 5), call(1, RDONLY_CAST)];
        cast.link(&mut program);
        let calls = program.map(|insn| (insn.src_reg(), insn.imm));
        assert_eq!(calls, [(2, 56_623), (0, 5), (1, RDONLY_CAST)]);
    }
}
