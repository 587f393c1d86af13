//! Results of arithmetic and comparisons of known numbers, as the BPF instruction set defines them (RFC 9669).

use super::{insn::Insn, opcode::*};

/// Returns the result of an arithmetic instruction on `dst` and its second operand. `None` for operations that only
/// the kernel computes: division, byte swaps and moves of less than a register.
pub(super) fn arithmetic(insn: &Insn, dst: u64, operand: u64) -> Option<u64> {
    if insn.off != 0 {
        return None;
    }
    let wide = insn.class() == ALU64;
    let cut = |number: u64| if wide { number } else { u64::from(number as u32) };
    let (dst, operand) = (cut(dst), cut(operand));
    let shift = operand & if wide { 63 } else { 31 };
    Some(cut(match insn.op() {
        ADD => dst.wrapping_add(operand),
        SUB => dst.wrapping_sub(operand),
        MUL => dst.wrapping_mul(operand),
        OR => dst | operand,
        AND => dst & operand,
        LSH => dst << shift,
        RSH => dst >> shift,
        NEG => dst.wrapping_neg(),
        XOR => dst ^ operand,
        MOV => operand,
        ARSH if wide => (dst.cast_signed() >> shift).cast_unsigned(),
        ARSH => ((dst as i32) >> shift) as u64,
        _ => return None,
    }))
}

/// True if a branch on `dst` and its second operand is taken.
pub(super) fn is_taken(insn: &Insn, dst: u64, operand: u64) -> bool {
    let (dst, operand, signed_dst, signed_operand) = if insn.class() == JMP {
        (dst, operand, dst.cast_signed(), operand.cast_signed())
    } else {
        let (dst, operand) = (dst as u32, operand as u32);
        (
            dst.into(),
            operand.into(),
            dst.cast_signed().into(),
            operand.cast_signed().into(),
        )
    };
    match insn.op() {
        JEQ => dst == operand,
        JNE => dst != operand,
        JSET => dst & operand != 0,
        JGT => dst > operand,
        JGE => dst >= operand,
        JLT => dst < operand,
        JLE => dst <= operand,
        JSGT => signed_dst > signed_operand,
        JSGE => signed_dst >= signed_operand,
        JSLT => signed_dst < signed_operand,
        // The decoder accepts no other.
        _ => signed_dst <= signed_operand,
    }
}

/// Returns the comparison with the same result for exchanged operands.
pub(super) fn mirrored(op: u8) -> u8 {
    match op {
        JGT => JLT,
        JLT => JGT,
        JGE => JLE,
        JLE => JGE,
        JSGT => JSLT,
        JSLT => JSGT,
        JSGE => JSLE,
        JSLE => JSGE,
        symmetric => symmetric,
    }
}
