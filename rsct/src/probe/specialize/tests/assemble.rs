//! Instructions by name, and comparable programs.

use aya_obj::generated::bpf_insn;

use super::super::opcode::*;

/// The fd of the map `.rodata` in these tests.
pub(super) const RODATA: i32 = 7;

pub(super) fn insn(code: u8, dst: u8, src: u8, off: i16, imm: i32) -> bpf_insn {
    bpf_insn {
        code,
        _bitfield_1: bpf_insn::new_bitfield_1(dst, src),
        off,
        imm,
    }
}

fn wide(dst: u8, src: u8, imm: i32, high: i32) -> [bpf_insn; 2] {
    [insn(LDDW, dst, src, 0, imm), insn(0, 0, 0, 0, high)]
}

/// Loads an address inside `.rodata`.
pub(super) fn rodata(dst: u8, at: i32) -> [bpf_insn; 2] {
    wide(dst, MAP_VALUE, RODATA, at)
}

/// Loads a map's address.
pub(super) fn map(dst: u8) -> [bpf_insn; 2] {
    wide(dst, MAP, RODATA + 1, 0)
}

pub(super) fn number64(dst: u8, value: u64) -> [bpf_insn; 2] {
    wide(dst, NUMBER, value as i32, (value >> 32) as i32)
}

pub(super) fn load(width: u8, dst: u8, src: u8, off: i16) -> bpf_insn {
    insn(LDX | MEM | width, dst, src, off, 0)
}

pub(super) fn store(width: u8, dst: u8, off: i16, src: u8) -> bpf_insn {
    insn(STX | MEM | width, dst, src, off, 0)
}

pub(super) fn mov(dst: u8, imm: i32) -> bpf_insn {
    insn(ALU64 | MOV | K, dst, 0, 0, imm)
}

pub(super) fn mov_register(dst: u8, src: u8) -> bpf_insn {
    insn(ALU64 | MOV | X, dst, src, 0, 0)
}

pub(super) fn add(dst: u8, imm: i32) -> bpf_insn {
    insn(ALU64 | ADD | K, dst, 0, 0, imm)
}

pub(super) fn add_register(dst: u8, src: u8) -> bpf_insn {
    insn(ALU64 | ADD | X, dst, src, 0, 0)
}

/// A 64-bit branch on a number.
pub(super) fn branch(op: u8, dst: u8, imm: i32, off: i16) -> bpf_insn {
    insn(JMP | op | K, dst, 0, off, imm)
}

/// A 64-bit branch on two registers.
pub(super) fn branch_register(op: u8, dst: u8, src: u8, off: i16) -> bpf_insn {
    insn(JMP | op | X, dst, src, off, 0)
}

pub(super) fn goto(off: i16) -> bpf_insn {
    insn(JMP | JA, 0, 0, off, 0)
}

pub(super) fn call(helper: i32) -> bpf_insn {
    insn(JMP | CALL, 0, 0, 0, helper)
}

/// Calls the function `distance` slots after the next instruction.
pub(super) fn local_call(distance: i32) -> bpf_insn {
    insn(JMP | CALL, 0, LOCAL, 0, distance)
}

pub(super) fn exit() -> bpf_insn {
    insn(JMP | EXIT, 0, 0, 0, 0)
}

/// Opcode, destination, source, offset and number of each slot: `bpf_insn` cannot be compared.
pub(super) fn listing(program: &[bpf_insn]) -> Vec<(u8, u8, u8, i16, i32)> {
    program
        .iter()
        .map(|insn| (insn.code, insn.dst_reg(), insn.src_reg(), insn.off, insn.imm))
        .collect()
}

/// A program of instructions of one slot and of two.
macro_rules! program {
    ($($part:expr),* $(,)?) => {{
        let mut program = Vec::new();
        $(program.extend(Slots::slots($part));)*
        program
    }};
}
pub(super) use program;

/// The arguments of `program!`.
pub(super) trait Slots {
    fn slots(self) -> Vec<bpf_insn>;
}

impl Slots for bpf_insn {
    fn slots(self) -> Vec<bpf_insn> {
        vec![self]
    }
}

impl Slots for [bpf_insn; 2] {
    fn slots(self) -> Vec<bpf_insn> {
        self.to_vec()
    }
}
