//! An instruction: the registers that it reads and writes, and its successors.

use super::opcode::*;

/// The frame pointer, which no instruction writes.
pub(super) const FRAME: u8 = 10;
/// The registers that hold a helper's arguments.
const ARGUMENTS: u16 = 0b11_1110;

/// The registers that a helper reads; of one that no program calls often, all that it could.
pub(super) fn arguments(helper: i32) -> u16 {
    match helper {
        // bpf_ktime_get_ns, bpf_get_smp_processor_id, bpf_jiffies64, bpf_get_current_task_btf
        5 | 8 | 118 | 158 => 0,
        // bpf_map_lookup_elem, bpf_ringbuf_submit
        1 | 132 => 0b110,
        // bpf_probe_read_kernel, bpf_ringbuf_reserve
        113 | 131 => 0b1110,
        _ => ARGUMENTS,
    }
}

/// An instruction of one or two slots. A removed one is a jump to the next, so that the others keep their index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Insn {
    pub code: u8,
    pub dst: u8,
    pub src: u8,
    pub off: i16,
    pub imm: i32,
    /// The second slot's number.
    pub high: i32,
    /// For jumps and for calls of the program's own functions, the index of the target; the target in the encoded
    /// instruction is unused.
    pub target: usize,
}

impl Insn {
    /// An unconditional jump.
    pub(super) fn jump(target: usize) -> Self {
        Self {
            code: JMP | JA,
            dst: 0,
            src: 0,
            off: 0,
            imm: 0,
            high: 0,
            target,
        }
    }

    /// Loads `value`, in the shortest form.
    pub(super) fn constant(dst: u8, value: u64) -> Self {
        let (code, high) = if fits(value).is_some() {
            (ALU64 | MOV | K, 0)
        } else if u32::try_from(value).is_ok() {
            (ALU | MOV | K, 0)
        } else {
            (LDDW, (value >> 32) as i32)
        };
        Self {
            code,
            dst,
            imm: value as i32,
            high,
            ..Self::jump(0)
        }
    }

    pub(super) fn class(&self) -> u8 {
        self.code & 0x07
    }

    /// Returns the operation of arithmetic and of jumps.
    pub(super) fn op(&self) -> u8 {
        self.code & 0xf0
    }

    /// Returns the mode of a load or a store.
    pub(super) fn mode(&self) -> u8 {
        self.code & 0xe0
    }

    /// Returns the number of bytes that a load or a store accesses.
    pub(super) fn bytes(&self) -> usize {
        match self.code & 0x18 {
            B => 1,
            H => 2,
            W => 4,
            _ => 8,
        }
    }

    pub(super) fn is_alu(&self) -> bool {
        matches!(self.class(), ALU | ALU64)
    }

    fn is_jump_class(&self) -> bool {
        matches!(self.class(), JMP | JMP32)
    }

    pub(super) fn is_exit(&self) -> bool {
        self.code == JMP | EXIT
    }

    pub(super) fn is_call(&self) -> bool {
        self.code == JMP | CALL
    }

    /// True for a call of one of the program's own functions, which have their own r6 to r10.
    pub(super) fn is_local_call(&self) -> bool {
        self.is_call() && self.src == LOCAL
    }

    /// True for an unconditional jump.
    pub(super) fn is_goto(&self) -> bool {
        self.code == JMP | JA
    }

    /// True for a conditional jump.
    pub(super) fn is_branch(&self) -> bool {
        self.is_jump_class() && !matches!(self.op(), JA | CALL | EXIT)
    }

    /// True if the second operand is a register.
    pub(super) fn takes_register(&self) -> bool {
        let unary = self.is_alu() && matches!(self.op(), NEG | END);
        (self.is_alu() || self.is_branch()) && self.code & X != 0 && !unary
    }

    /// True for a store into memory, or a load without sign extension: no atomics.
    pub(super) fn is_plain_access(&self) -> bool {
        matches!(self.class(), LDX | ST | STX) && self.mode() == MEM
    }

    /// Returns the register of the memory address.
    pub(super) fn base(&self) -> Option<u8> {
        match self.class() {
            LDX => Some(self.src),
            ST | STX => Some(self.dst),
            _ => None,
        }
    }

    /// True if it changes only the value of `dst`.
    pub(super) fn only_computes(&self) -> bool {
        self.class() == LD || self.is_alu()
    }

    /// Returns the registers that it reads, a bit each.
    pub(super) fn reads(&self) -> u16 {
        let second = if self.takes_register() { bit(self.src) } else { 0 };
        match self.class() {
            LD => 0,
            LDX => bit(self.src),
            ST => bit(self.dst),
            STX if self.mode() == ATOMIC && self.imm == CMPXCHG => bit(self.dst) | bit(self.src) | bit(0),
            STX => bit(self.dst) | bit(self.src),
            ALU | ALU64 if self.op() == MOV => second,
            ALU | ALU64 => bit(self.dst) | second,
            _ if self.is_goto() => 0,
            _ if self.is_exit() => bit(0),
            _ if self.is_call() && self.src == 0 => arguments(self.imm),
            _ if self.is_call() => ARGUMENTS,
            _ => bit(self.dst) | second,
        }
    }

    /// Returns the registers that it overwrites, a bit each.
    pub(super) fn writes(&self) -> u16 {
        match self.class() {
            LD | LDX | ALU | ALU64 => bit(self.dst),
            STX if self.mode() == ATOMIC && self.imm == CMPXCHG => bit(0),
            STX if self.mode() == ATOMIC && self.imm & FETCH != 0 => bit(self.src),
            JMP if self.is_call() => bit(0) | ARGUMENTS,
            _ => 0,
        }
    }

    /// Returns the possible next instructions in the same function, given this one's index.
    pub(super) fn successors(&self, index: usize) -> impl Iterator<Item = usize> {
        let falls = !self.is_goto() && !self.is_exit();
        let jumps = self.is_goto() || self.is_branch();
        falls
            .then_some(index + 1)
            .into_iter()
            .chain(jumps.then_some(self.target))
    }
}

/// Returns the register's bit.
pub(super) fn bit(register: u8) -> u16 {
    1 << register
}

/// Returns the number that an instruction extends to `value`, if there is one.
pub(super) fn fits(value: u64) -> Option<i32> {
    i32::try_from(value.cast_signed()).ok()
}
