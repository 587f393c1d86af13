//! Shorter code for addresses. A load or store adds a constant itself, and uses the pointer instead of its copy.

use super::{flow::Liveness, insn::*, opcode::*};

/// Moves a constant that is added to a pointer into the loads and stores through it, if the pointer has no other use.
/// Returns whether it changed anything.
pub(super) fn displace(code: &mut [Insn], flow: &Liveness) -> bool {
    let mut changed = false;
    // Backwards: of two additions to a pointer, the first then absorbs the second.
    for index in (0..code.len()).rev() {
        let insn = code[index];
        if insn.code != ALU64 | ADD | K {
            continue;
        }
        let Some(uses) = flow.uses(code, index, insn.dst) else {
            continue;
        };
        changed |= replace(code, index, &uses, |user| displaced(user, insn.dst, insn.imm));
    }
    changed
}

/// Returns the same instruction where `pointer` is less by `distance`.
fn displaced(user: &Insn, pointer: u8, distance: i32) -> Option<Insn> {
    if user.code == ALU64 | ADD | K && user.dst == pointer {
        let imm = user.imm.checked_add(distance)?;
        return Some(Insn { imm, ..*user });
    }
    let stored = user.class() == STX && user.src == pointer;
    if !user.is_plain_access() || user.base() != Some(pointer) || stored {
        return None;
    }
    let off = i16::try_from(i32::from(user.off).checked_add(distance)?).ok()?;
    Some(Insn { off, ..*user })
}

/// Replaces a register's copy by the register in all users. Returns whether it changed anything.
pub(super) fn uncopy(code: &mut [Insn], flow: &Liveness) -> bool {
    let mut changed = false;
    for index in 0..code.len() {
        let copy = code[index];
        if copy.code != ALU64 | MOV | X || copy.off != 0 || copy.src == copy.dst {
            continue;
        }
        let Some(uses) = flow.uses(code, index, copy.dst) else {
            continue;
        };
        let last = uses.last().copied().unwrap_or(index);
        let between = code.iter().take(last).skip(index + 1);
        if between.fold(0, |written, insn| written | insn.writes()) & bit(copy.src) != 0 {
            continue;
        }
        changed |= replace(code, index, &uses, |user| renamed(user, copy.dst, copy.src));
    }
    changed
}

/// Rewrites all users of the instruction at `index` and removes it, or changes nothing if a user cannot be rewritten.
fn replace(code: &mut [Insn], index: usize, uses: &[usize], rewrite: impl Fn(&Insn) -> Option<Insn>) -> bool {
    let rewritten: Option<Vec<Insn>> = uses.iter().map(|user| rewrite(&code[*user])).collect();
    let Some(rewritten) = rewritten else { return false };
    for (user, insn) in uses.iter().zip(rewritten) {
        code[*user] = insn;
    }
    code[index] = Insn::jump(index + 1);
    true
}

/// Returns the same instruction where it reads `original` in place of `copy`.
fn renamed(user: &Insn, copy: u8, original: u8) -> Option<Insn> {
    let reads_dst = user.is_branch() || matches!(user.class(), ST | STX);
    let reads_src = user.takes_register() || matches!(user.class(), LDX | STX);
    let swaps = matches!(user.class(), ST | STX) && !user.is_plain_access();
    // Arithmetic writes the register that it reads first; a call reads the registers that it reads.
    let in_place = user.is_alu() && user.op() != MOV && user.dst == copy;
    if in_place || swaps || user.is_call() || user.is_exit() {
        return None;
    }
    let rename = |reads: bool, register: u8| {
        if reads && register == copy {
            original
        } else {
            register
        }
    };
    Some(Insn {
        dst: rename(reads_dst, user.dst),
        src: rename(reads_src, user.src),
        ..*user
    })
}
