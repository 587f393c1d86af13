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
    /// `struct sk_buff` and `struct nf_hook_state`, if the programs can read all that arguments of a kprobe refer to.
    pub arguments: Option<[u32; 2]>,
}

impl Cast {
    /// Finds both; none before Linux 6.2, and none if vmlinux describes no such struct, or another.
    pub(crate) fn find(types: &KernelTypes) -> Option<Self> {
        let id = |name: &str| {
            let fields = FIELDS.iter().filter(|field| field.of == name);
            let paths: Vec<&str> = fields
                .filter(|field| types.field(field.of, field.path).is_ok())
                .map(|field| field.path)
                .collect();
            types.vmlinux_struct(name, &paths)
        };
        let arguments = || {
            // Reached through the others.
            id("net")?;
            id("net_device")?;
            Some([id("sk_buff")?, id("nf_hook_state")?])
        };
        Some(Self {
            function: types.vmlinux_func("bpf_rdonly_cast")?,
            nf_conn: id("nf_conn")?,
            arguments: arguments(),
        })
    }

    /// The same in the file of an object, whose code consists of aligned instructions. Words, as its reader needs them.
    pub(super) fn link_object(self, object: &[u8]) -> Vec<u64> {
        let insn = |source: u32, imm: i32| {
            let head = (BPF_JMP | BPF_CALL) | source << 12;
            u64::from(head).to_le() | u64::from(imm.cast_unsigned()).to_le() << 32
        };
        let missing = insn(0, RDONLY_CAST);
        let call = insn(BPF_PSEUDO_KFUNC_CALL, self.function.cast_signed());
        let (words, rest) = object.as_chunks();
        let mut last = [0; 8];
        if let Some(space) = last.get_mut(..rest.len()) {
            space.copy_from_slice(rest);
        }
        let last = (!rest.is_empty()).then_some(&last);
        words
            .iter()
            .chain(last)
            .map(|word| match u64::from_ne_bytes(*word) {
                word if word == missing => call,
                word => word,
            })
            .collect()
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
    use zerocopy::IntoBytes as _;

    use super::*;

    #[test]
    fn only_the_missing_helper_is_replaced() {
        let cast = Cast {
            function: 56_623,
            nf_conn: 33_315,
            arguments: None,
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
        let object = [
            &[0x85, 0, 0, 0, 5, 0, 0, 0][..],
            &[0x85, 0, 0, 0, 1, 0, 0, 0x7f],
            &[0x85, 0x10, 0, 0, 1, 0, 0, 0x7f],
            &[0x85, 0, 0],
        ]
        .concat();
        let linked = cast.link_object(&object);
        let mut expected = object;
        expected[8..16].copy_from_slice(&[0x85, 0x20, 0, 0, 0x2f, 0xdd, 0, 0]);
        expected.extend([0; 5]);
        assert_eq!(linked.as_bytes(), expected);
    }
}
