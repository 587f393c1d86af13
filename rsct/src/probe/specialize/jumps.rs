//! Chains of jumps, and unreachable instructions.

use super::insn::*;

/// Retargets each jump to the end of its chain of jumps, and removes unreachable instructions.
pub(super) fn straighten(code: &mut Vec<Insn>) {
    // Backwards: removing the branches that a branch skips can make it pointless.
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
        // A removed target moves to the next kept instruction. Only removed instructions have a target after the end.
        insn.target = moved.get(insn.target).copied().unwrap_or(0);
        kept.next() == Some(true)
    });
}

/// Returns the first instruction from `index` on that is not an unconditional jump.
fn end(code: &[Insn], index: usize) -> usize {
    let mut end = index;
    // A chain of jumps may be a loop.
    for _ in 0..code.len() {
        match code.get(end) {
            Some(insn) if insn.is_goto() => end = insn.target,
            _ => break,
        }
    }
    end
}

/// Marks the instructions that are reachable and do something: a jump over removed instructions alone does nothing.
fn kept(code: &[Insn]) -> Vec<bool> {
    let mut kept = reached(code);
    // Backwards: the next kept instruction of a forward target is already known.
    let mut next = vec![code.len(); code.len() + 1];
    for index in (0..code.len()).rev() {
        let insn = &code[index];
        let skips_nothing = insn.is_goto() && insn.target > index && next[insn.target] == next[index + 1];
        kept[index] &= !skips_nothing;
        next[index] = if kept[index] { index } else { next[index + 1] };
    }
    kept
}

/// Marks the instructions that are reachable from the first.
pub(super) fn reached(code: &[Insn]) -> Vec<bool> {
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
