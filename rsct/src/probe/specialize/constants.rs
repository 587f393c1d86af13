//! Constants in registers: sparse conditional constant propagation (Wegman and Zadeck, 1991). A branch whose operands
//! are constants is followed in one direction only, so that the other does not lose constants.

use std::collections::BTreeSet;

use super::{Rodata, insn::*, opcode::*, value};

/// A register's value at one instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Known {
    /// Any value.
    Unknown,
    /// This number.
    Number(u64),
    /// A pointer to this offset in the value of the `.rodata` map.
    Rodata(u64),
}

/// The values of r0 to r9.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Registers([Known; FRAME as usize]);

impl Registers {
    /// All registers are unknown.
    pub(super) const UNKNOWN: Self = Self([Known::Unknown; FRAME as usize]);

    pub(super) fn get(&self, register: u8) -> Known {
        // The frame pointer is always unknown.
        self.0
            .get(usize::from(register))
            .copied()
            .unwrap_or(Known::Unknown)
    }

    fn number(&self, register: u8) -> Option<u64> {
        match self.get(register) {
            Known::Number(number) => Some(number),
            _ => None,
        }
    }

    /// Returns the second operand of arithmetic or of a branch.
    pub(super) fn operand(&self, insn: &Insn) -> Option<u64> {
        if insn.takes_register() {
            self.number(insn.src)
        } else {
            Some(i64::from(insn.imm).cast_unsigned())
        }
    }

    /// Whether the branch is taken, if that is known.
    pub(super) fn decides(&self, branch: &Insn) -> Option<bool> {
        let (dst, operand) = (self.number(branch.dst)?, self.operand(branch)?);
        Some(value::is_taken(branch, dst, operand))
    }

    /// Changes the values to those after `insn`.
    pub(super) fn step(&mut self, insn: &Insn, rodata: &Rodata) {
        let result = self.result(insn, rodata);
        let written = insn.writes();
        for (register, value) in self.0.iter_mut().enumerate() {
            if written & (1 << register) != 0 {
                *value = result;
            }
        }
    }

    /// Returns the value of the registers that `insn` writes.
    fn result(&self, insn: &Insn, rodata: &Rodata) -> Known {
        match insn.class() {
            LD if insn.src == NUMBER => Known::Number(
                u64::from(insn.imm.cast_unsigned()) | u64::from(insn.high.cast_unsigned()) << 32,
            ),
            LD if insn.src == MAP_VALUE && insn.imm == rodata.fd => {
                Known::Rodata(insn.high.cast_unsigned().into())
            }
            LDX if insn.mode() == MEM => match self.get(insn.src) {
                Known::Rodata(at) => rodata
                    .load(at.wrapping_add_signed(insn.off.into()), insn.bytes())
                    .map_or(Known::Unknown, Known::Number),
                _ => Known::Unknown,
            },
            ALU | ALU64 => self.arithmetic(insn).unwrap_or(Known::Unknown),
            _ => Known::Unknown,
        }
    }

    fn arithmetic(&self, insn: &Insn) -> Option<Known> {
        let is_move = insn.op() == MOV && insn.code & X != 0;
        if is_move && insn.class() == ALU64 && insn.off == 0 {
            return Some(self.get(insn.src));
        }
        let operand = self.operand(insn)?;
        // A move does not read its destination.
        let dst = if insn.op() == MOV {
            Known::Number(0)
        } else {
            self.get(insn.dst)
        };
        match dst {
            Known::Unknown => None,
            Known::Number(dst) => value::arithmetic(insn, dst, operand).map(Known::Number),
            Known::Rodata(at) if insn.class() == ALU64 && matches!(insn.op(), ADD | SUB) => {
                value::arithmetic(insn, at, operand).map(Known::Rodata)
            }
            Known::Rodata(_) => None,
        }
    }

    /// Keeps the values that both states agree on. Returns true if this state lost any.
    fn meet(&mut self, other: &Self) -> bool {
        let mut less = false;
        for (mine, other) in self.0.iter_mut().zip(&other.0) {
            if mine != other && *mine != Known::Unknown {
                *mine = Known::Unknown;
                less = true;
            }
        }
        less
    }
}

/// The values at instructions that control reaches from elsewhere than the previous instruction.
pub(super) struct Constants {
    /// For an instruction that starts a straight run, its index in `entries`, plus one.
    runs: Vec<u32>,
    /// `None` for unreachable instructions.
    entries: Vec<Option<Registers>>,
}

impl Constants {
    /// Finds the constants of a program.
    pub(super) fn of(code: &[Insn], rodata: &Rodata) -> Self {
        let mut runs = vec![0_u32; code.len()];
        runs[0] = 1;
        for (index, insn) in code.iter().enumerate() {
            if insn.is_goto() || insn.is_branch() || insn.is_local_call() {
                runs[insn.target] = 1;
            }
            if (insn.is_goto() || insn.is_branch() || insn.is_exit()) && index + 1 < code.len() {
                runs[index + 1] = 1;
            }
        }
        let mut count = 0;
        for run in runs.iter_mut().filter(|run| **run != 0) {
            count += 1;
            *run = count;
        }
        let mut constants = Self {
            runs,
            entries: vec![None; count as usize],
        };
        constants.reach(0, &Registers::UNKNOWN);
        let mut pending = BTreeSet::from([0]);
        while let Some(start) = pending.pop_first() {
            constants.follow(code, rodata, start, &mut pending);
        }
        constants
    }

    /// Follows one straight run to its end, and marks the runs whose start lost values.
    fn follow(&mut self, code: &[Insn], rodata: &Rodata, start: usize, pending: &mut BTreeSet<usize>) {
        let Some(Some(mut state)) = self.entry(start) else {
            return;
        };
        for (index, insn) in code.iter().enumerate().skip(start) {
            let decided = if insn.is_branch() {
                state.decides(insn)
            } else {
                None
            };
            state.step(insn, rodata);
            let falls = !insn.is_goto() && !insn.is_exit() && decided != Some(true);
            let jumps = insn.is_goto() || insn.is_branch() && decided != Some(false);
            if jumps && self.reach(insn.target, &state) {
                pending.insert(insn.target);
            }
            // A function's arguments are unknown: it may have several callers.
            if insn.is_local_call() && self.reach(insn.target, &Registers::UNKNOWN) {
                pending.insert(insn.target);
            }
            if !falls {
                return;
            }
            if self.entry(index + 1).is_some() {
                if self.reach(index + 1, &state) {
                    pending.insert(index + 1);
                }
                return;
            }
        }
    }

    /// Merges `state` into the state at the start of a run. Returns true if that state changed.
    fn reach(&mut self, start: usize, state: &Registers) -> bool {
        match &mut self.entries[self.runs[start] as usize - 1] {
            Some(known) => known.meet(state),
            unreached => {
                *unreached = Some(*state);
                true
            }
        }
    }

    /// Returns the values at the start of a run; `Some(None)` if it is unreachable, `None` if no run starts there.
    pub(super) fn entry(&self, index: usize) -> Option<Option<Registers>> {
        let run = self.runs[index].checked_sub(1)?;
        Some(self.entries[run as usize])
    }
}
