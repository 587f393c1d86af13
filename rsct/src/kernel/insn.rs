//! An assembler for programs of a few eBPF instructions.

use std::os::fd::{AsRawFd as _, BorrowedFd};

use aya_obj::generated::{
    BPF_ADD, BPF_ALU64, BPF_CALL, BPF_DW, BPF_EXIT, BPF_IMM, BPF_JMP, BPF_K, BPF_LD, BPF_LDX, BPF_MEM,
    BPF_MOV, BPF_PSEUDO_MAP_VALUE, BPF_STX, BPF_X, bpf_func_id, bpf_insn,
};

/// A register by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Register(u8);

/// The return value.
pub(super) const R0: Register = Register(0);
/// Arguments of a call, which overwrites these registers. A program starts with its context in R1.
pub(super) const R1: Register = Register(1);
/// See [`R1`].
pub(super) const R2: Register = Register(2);
/// See [`R1`].
pub(super) const R3: Register = Register(3);
/// See [`R1`].
pub(super) const R4: Register = Register(4);
/// See [`R1`].
pub(super) const R5: Register = Register(5);
/// The first register that calls preserve.
pub(super) const R6: Register = Register(6);
/// The top of the stack, which grows down.
pub(super) const FRAME: Register = Register(10);

/// `to = value`
pub(super) fn set(to: Register, value: i32) -> bpf_insn {
    insn(BPF_ALU64 | BPF_MOV | BPF_K, to, R0, 0, value)
}

/// `to = from`
pub(super) fn copy(to: Register, from: Register) -> bpf_insn {
    insn(BPF_ALU64 | BPF_MOV | BPF_X, to, from, 0, 0)
}

/// `to += value`
pub(super) fn add(to: Register, value: i32) -> bpf_insn {
    insn(BPF_ALU64 | BPF_ADD | BPF_K, to, R0, 0, value)
}

/// `to = *(u64 *)(base + offset)`
pub(super) fn load(to: Register, base: Register, offset: i16) -> bpf_insn {
    insn(BPF_LDX | BPF_MEM | BPF_DW, to, base, offset, 0)
}

/// `*(u64 *)(base + offset) = from`
pub(super) fn store(base: Register, offset: i16, from: Register) -> bpf_insn {
    insn(BPF_STX | BPF_MEM | BPF_DW, base, from, offset, 0)
}

/// `to = ` the address of the value in an array map of one element.
pub(super) fn load_value(to: Register, map: BorrowedFd<'_>) -> [bpf_insn; 2] {
    let pseudo = Register(BPF_PSEUDO_MAP_VALUE as u8);
    [
        insn(BPF_LD | BPF_IMM | BPF_DW, to, pseudo, 0, map.as_raw_fd()),
        insn(0, R0, R0, 0, 0),
    ]
}

/// `R0 = helper(R1, …)`
pub(super) fn call(helper: bpf_func_id) -> bpf_insn {
    insn(BPF_JMP | BPF_CALL, R0, R0, 0, helper as i32)
}

/// `return R0`
pub(super) fn exit() -> bpf_insn {
    insn(BPF_JMP | BPF_EXIT, R0, R0, 0, 0)
}

fn insn(code: u32, to: Register, from: Register, off: i16, imm: i32) -> bpf_insn {
    bpf_insn {
        code: code as u8,
        _bitfield_1: bpf_insn::new_bitfield_1(to.0, from.0),
        off,
        imm,
    }
}
