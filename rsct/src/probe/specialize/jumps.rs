//! Jumps that lead to jumps, and what is not reached.

use super::insn::*;

/// Has every jump lead where control ends up, and takes out what is not reached and what was removed.
pub fn straighten(code: &mut Vec<Insn>) {
    // From the last on: a branch can be pointless because what it skips is.
    for index in (0..code.len()).rev() {
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
    let kept = kept(code);
    let mut count = 0;
    let moved: Vec<usize> = kept
        .iter()
        .map(|kept| {
            let index = count;
            count += usize::from(*kept);
            index
        })
        .collect();
    let mut kept = kept.into_iter();
    code.retain_mut(|insn| {
        // Of what was removed, the next that is kept has the place. Beyond the end, only what is not kept leads.
        insn.target = moved.get(insn.target).copied().unwrap_or(0);
        kept.next() == Some(true)
    });
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

/// Which instructions are reached and do something: a jump over removed instructions alone does nothing.
fn kept(code: &[Insn]) -> Vec<bool> {
    let mut kept = reached(code);
    // Seen from behind, which instruction is executed next is decided already, where that is not a loop.
    let mut next = vec![code.len(); code.len() + 1];
    for index in (0..code.len()).rev() {
        let insn = &code[index];
        let skips_nothing = insn.is_goto() && insn.target > index && next[insn.target] == next[index + 1];
        kept[index] &= !skips_nothing;
        next[index] = if kept[index] { index } else { next[index + 1] };
    }
    kept
}

/// Which instructions are reached from the first.
pub fn reached(code: &[Insn]) -> Vec<bool> {
    let mut reached = vec![false; code.len()];
    let mut pending = vec![0];
    while let Some(index) = pending.pop() {
        if !std::mem::replace(&mut reached[index], true) {
            let insn = &code[index];
            pending.extend(insn.successors(index));
            pending.extend(insn.is_local_call().then_some(insn.target));
        }
    }
    reached
}
