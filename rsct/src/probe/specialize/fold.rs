//! Folding of known constants into the instructions: loads become moves, register operands numbers, branches jumps.

use super::{
    Rodata,
    constants::{Constants, Known, Registers},
    insn::*,
    opcode::*,
    value,
};

/// Rewrites all instructions of a program with their known operands.
pub(super) fn fold(code: &mut [Insn], rodata: &Rodata) {
    let constants = Constants::of(code, rodata);
    let mut state = None;
    for (index, insn) in code.iter_mut().enumerate() {
        if let Some(entry) = constants.entry(index) {
            state = entry;
        }
        // Unreachable instructions are removed later.
        let Some(state) = &mut state else { continue };
        let before = *state;
        state.step(insn, rodata);
        *insn = folded(*insn, &before, state, index + 1);
    }
}

fn folded(insn: Insn, before: &Registers, after: &Registers, next: usize) -> Insn {
    if insn.is_branch() {
        return match before.decides(&insn) {
            Some(true) => Insn::jump(insn.target),
            Some(false) => Insn::jump(next),
            None => branch(insn, before),
        };
    }
    if !insn.only_computes() && insn.class() != LDX {
        return insn;
    }
    let known = after.get(insn.dst);
    if known != Known::Unknown && known == before.get(insn.dst) {
        return Insn::jump(next);
    }
    if let Known::Number(number) = known {
        return Insn::constant(insn.dst, number);
    }
    if !insn.is_alu() {
        return insn;
    }
    let insn = arithmetic(insn, before);
    if changes_nothing(&insn) {
        Insn::jump(next)
    } else {
        insn
    }
}

/// A branch that has one register operand at the most, if one is known.
fn branch(insn: Insn, before: &Registers) -> Insn {
    if !insn.takes_register() {
        return insn;
    }
    let number = |register| match before.get(register) {
        Known::Number(number) if insn.class() == JMP32 => Some(number as i32),
        Known::Number(number) => fits(number),
        _ => None,
    };
    let (dst, op, imm) = if let Some(imm) = number(insn.src) {
        (insn.dst, insn.op(), imm)
    } else if let Some(imm) = number(insn.dst) {
        (insn.src, value::mirrored(insn.op()), imm)
    } else {
        return insn;
    };
    Insn {
        code: insn.class() | op | K,
        dst,
        src: 0,
        imm,
        ..insn
    }
}

/// Arithmetic with a number as its second operand, if that is known.
fn arithmetic(insn: Insn, before: &Registers) -> Insn {
    if !insn.takes_register() || insn.op() == MOV {
        return insn;
    }
    let wide = insn.class() == ALU64;
    let imm = match before.operand(&insn) {
        Some(number) if wide => fits(number),
        Some(number) => Some(number as i32),
        None => None,
    };
    let refused = |imm: i32| match insn.op() {
        // The verifier accepts neither a division by zero nor a shift by more bits than there are.
        DIV | MOD => imm == 0,
        LSH | RSH | ARSH => !(0..if wide { 64 } else { 32 }).contains(&imm),
        _ => false,
    };
    match imm {
        Some(imm) if !refused(imm) => Insn {
            code: insn.code & !X,
            src: 0,
            imm,
            ..insn
        },
        _ => insn,
    }
}

/// True if arithmetic leaves all 64 bits unchanged.
fn changes_nothing(insn: &Insn) -> bool {
    if insn.class() != ALU64 || insn.off != 0 {
        return false;
    }
    if insn.takes_register() {
        return insn.op() == MOV && insn.src == insn.dst;
    }
    match insn.op() {
        ADD | SUB | OR | XOR | LSH | RSH | ARSH => insn.imm == 0,
        AND => insn.imm == -1,
        MUL | DIV => insn.imm == 1,
        _ => false,
    }
}
