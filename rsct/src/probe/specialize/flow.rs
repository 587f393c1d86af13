//! Liveness: which registers are read later, and by which instructions.

use super::insn::*;

/// A program's liveness, and where control joins. It stays valid if an instruction needs less than before.
pub(super) struct Liveness {
    /// The registers needed before each instruction, a bit each.
    live: Vec<u16>,
    /// True for a jump target.
    joins: Vec<bool>,
}

impl Liveness {
    /// Computes them for a program. The operands of an instruction whose result is unused are unused too.
    pub(super) fn of(code: &[Insn]) -> Self {
        let mut joins = vec![false; code.len() + 1];
        for (index, insn) in code.iter().enumerate() {
            if insn.is_branch() || insn.is_local_call() || insn.is_goto() && insn.target != index + 1 {
                joins[insn.target] = true;
            }
        }
        let mut live = vec![0; code.len() + 1];
        loop {
            let mut changed = false;
            for (index, insn) in code.iter().enumerate().rev() {
                let after = after(insn, index, &live);
                let before = if is_idle(insn, after) {
                    after
                } else {
                    after & !insn.writes() | insn.reads()
                };
                changed |= std::mem::replace(&mut live[index], before) != before;
            }
            if !changed {
                return Self { live, joins };
            }
        }
    }

    /// The instructions that read what `register` holds after the instruction at `index`, in order. `None` unless all
    /// of them follow in a straight line.
    pub(super) fn uses(&self, code: &[Insn], index: usize, register: u8) -> Option<Vec<usize>> {
        let register = bit(register);
        let needed = |at: usize| self.live[at] & register != 0;
        let mut uses = Vec::new();
        for (at, insn) in code.iter().enumerate().skip(index + 1) {
            if self.joins[at] {
                return (!needed(at)).then_some(uses);
            }
            if insn.reads() & register != 0 {
                uses.push(at);
            }
            if insn.writes() & register != 0 || insn.is_exit() {
                return Some(uses);
            }
            if insn.is_goto() && insn.target != at + 1 {
                return (!needed(insn.target)).then_some(uses);
            }
            if insn.is_branch() && needed(insn.target) {
                return None;
            }
        }
        Some(uses)
    }
}

/// Removes instructions that only compute unused values. Returns whether it changed anything.
pub(super) fn sweep(code: &mut [Insn], flow: &Liveness) -> bool {
    let mut changed = false;
    for (index, insn) in code.iter_mut().enumerate() {
        if is_idle(insn, after(insn, index, &flow.live)) {
            *insn = Insn::jump(index + 1);
            changed = true;
        }
    }
    changed
}

/// The registers needed after an instruction.
fn after(insn: &Insn, index: usize, live: &[u16]) -> u16 {
    insn.successors(index)
        .fold(0, |needed, successor| needed | live[successor])
}

fn is_idle(insn: &Insn, needed: u16) -> bool {
    insn.only_computes() && insn.writes() & needed == 0
}
