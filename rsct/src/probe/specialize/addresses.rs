//! Addresses that are a pointer plus a constant: the access itself can add it. What a register was copied or moved
//! for, in a straight line, is done with the original.

use super::{flow::Flow, insn::*, opcode::*};

/// Moves constants that are added to a pointer into the accesses through it, where the pointer is used for nothing
/// else. Says whether there was any.
pub fn displace(code: &mut [Insn], flow: &Flow) -> bool {
    let mut changed = false;
    // From the last on: a pointer that is moved again later hands on what it was moved by.
    for index in (0..code.len()).rev() {
        let insn = code[index];
        if insn.code != ALU64 | ADD | K {
            continue;
        }
        let Some(uses) = flow.uses(code, index, insn.dst) else {
            continue;
        };
        let displaced: Option<Vec<Insn>> = uses
            .iter()
            .map(|user| displaced(&code[*user], insn.dst, insn.imm))
            .collect();
        if let Some(displaced) = displaced {
            for (user, insn) in uses.into_iter().zip(displaced) {
                code[user] = insn;
            }
            code[index] = Insn::jump(index + 1);
            changed = true;
        }
    }
    changed
}

/// The same instruction where `pointer` is less by `distance`.
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

/// Has what is done with a copy of a register done with the register. Says whether there was any.
pub fn uncopy(code: &mut [Insn], flow: &Flow) -> bool {
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
        let renamed: Option<Vec<Insn>> = uses
            .iter()
            .map(|user| renamed(&code[*user], copy.dst, copy.src))
            .collect();
        if let Some(renamed) = renamed {
            for (user, insn) in uses.into_iter().zip(renamed) {
                code[user] = insn;
            }
            code[index] = Insn::jump(index + 1);
            changed = true;
        }
    }
    changed
}

/// The same instruction where it reads `original` in place of `copy`.
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
