//! Programs that stay unchanged.

use aya_obj::generated::{BPF_JCOND, BPF_PSEUDO_KFUNC_CALL, bpf_insn};

use super::super::opcode::*;
use super::{assemble::*, assert_stays};

#[test]
fn a_program_with_something_unknown_stays() {
    let with = |unknown: bpf_insn| program![rodata(1, 0), load(DW, 0, 1, 0), unknown, exit()];
    assert_stays(&with(insn(JMP | CALL, 0, BPF_PSEUDO_KFUNC_CALL as u8, 0, 0)));
    assert_stays(&with(insn(JMP | BPF_JCOND as u8, 0, 0, 0, 0)));
    assert_stays(&with(insn(JMP32 | JA, 0, 0, 0, 0)));
    // A load from the packet, as in classic BPF.
    assert_stays(&with(insn(LD | 0x20, 0, 0, 0, 0)));
    // An atomic operation that is newer than these passes.
    assert_stays(&with(insn(STX | ATOMIC | DW, 10, 1, -8, 0x100)));
    // No end, and a jump into the middle of an instruction.
    assert_stays(&[mov(0, 0)]);
    assert_stays(&program![goto(1), rodata(1, 0), exit()]);
    assert_stays(&[]);
}

#[test]
fn a_jump_that_would_be_too_long_leaves_the_program() {
    // Each load becomes longer by a slot, and no two in a row load the same.
    let mut program = program![rodata(6, 0), load(DW, 2, 1, 0), branch(JEQ, 2, 0, 32_000)];
    for _ in 0..8_000 {
        for off in [16, 20] {
            program.extend([load(DW, 3, 6, off), store(DW, 10, -8, 3)]);
        }
    }
    program.extend([mov(0, 0), exit()]);
    assert_stays(&program);
}
