//! Jumps that lead to jumps, and what is not reached.

use super::{code::reached, insn::*};

/// Has every jump lead where control ends up, and removes what is not reached.
pub fn straighten(code: &mut [Insn]) {
    for index in 0..code.len() {
        let insn = code[index];
        if insn.is_branch() || insn.is_goto() {
            let target = end(code, insn.target);
            let pointless = insn.is_branch() && target == end(code, index + 1);
            code[index] = if pointless {
                Insn::jump(index + 1)
            } else {
                Insn { target, ..insn }
            };
        }
    }
    let reached = reached(code);
    for (index, insn) in code.iter_mut().enumerate() {
        if !reached[index] {
            *insn = Insn::jump(index + 1);
        }
    }
}

/// The first instruction from `index` on that is not a jump in all cases.
fn end(code: &[Insn], index: usize) -> usize {
    let mut end = index;
    // Jumps alone may be a loop.
    for _ in 0..code.len() {
        match code.get(end) {
            Some(insn) if insn.is_goto() => end = insn.target,
            _ => break,
        }
    }
    end
}
