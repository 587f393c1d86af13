//! A machine that runs eBPF programs as RFC 9669 defines it, and records their externally visible effects.
//!
//! It shares only the opcodes with the passes, so that a mistake in one is not repeated in the other.

use aya_obj::generated::bpf_insn;

use super::super::{Rodata, opcode::*};

/// The address of `.rodata` in the machine's memory. Programs have no other memory: elsewhere, a byte is computed
/// from its address.
const RODATA_AT: u64 = 0xffff_8881_0000_0000;
/// More instructions than any program of the tests executes.
const FUEL: usize = 20_000;

/// An externally visible effect of a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// It writes `value` to an address.
    Store { at: u64, bytes: usize, value: u64 },
    /// It changes memory atomically, as the instruction's `imm` defines.
    Atomic {
        at: u64,
        operation: i32,
        operand: u64,
        expected: Option<u64>,
    },
    /// It calls the helper of this number.
    Call { helper: i32, arguments: [u64; 5] },
}

/// The result of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Run {
    pub r0: u64,
    pub effects: Vec<Effect>,
}

/// Runs a program to its end, and counts the executed instructions.
pub(super) fn run(program: &[bpf_insn], rodata: &Rodata) -> (Run, usize) {
    let mut machine = Machine {
        rodata,
        registers: std::array::from_fn(|register| mixed(register as u64)),
        effects: Vec::new(),
        callers: Vec::new(),
    };
    let mut slot = 0;
    for executed in 1..FUEL {
        let insn = &program[slot];
        if insn.code == JMP | EXIT {
            if let Some((caller, kept)) = machine.callers.pop() {
                machine.registers[6..].copy_from_slice(&kept);
                machine.clobber(1);
                slot = caller + 1;
                continue;
            }
            let Machine {
                registers, effects, ..
            } = machine;
            let r0 = registers[0];
            return (Run { r0, effects }, executed);
        }
        slot = machine.step(insn, program.get(slot + 1), slot);
    }
    panic!("the program does not end");
}

struct Machine<'a> {
    rodata: &'a Rodata,
    registers: [u64; 11],
    effects: Vec<Effect>,
    /// The call sites of functions in progress, and r6 to r10 there.
    callers: Vec<(usize, [u64; 5])>,
}

impl Machine<'_> {
    /// Executes an instruction. Returns the slot of the next.
    fn step(&mut self, insn: &bpf_insn, second: Option<&bpf_insn>, slot: usize) -> usize {
        let (dst, src) = (usize::from(insn.dst_reg()), usize::from(insn.src_reg()));
        let imm = insn.imm as i64 as u64;
        let operand = if insn.code & X == X {
            self.registers[src]
        } else {
            imm
        };
        let at = |base: u64| base.wrapping_add(insn.off as i64 as u64);
        let bytes = [4, 2, 1, 8][usize::from(insn.code >> 3 & 3)];
        match insn.code & 7 {
            LD => {
                let high = second.unwrap().imm as u32;
                self.registers[dst] = match insn.src_reg() {
                    NUMBER => u64::from(insn.imm as u32) + (u64::from(high) << 32),
                    MAP_VALUE if insn.imm == self.rodata.fd => RODATA_AT + u64::from(high),
                    _ => mixed(u64::from(high) + imm),
                };
                return slot + 2;
            }
            LDX => {
                let value = self.load(at(self.registers[src]), bytes);
                let unused = 64 - 8 * bytes as u32;
                let signed = (((value << unused) as i64) >> unused) as u64;
                self.registers[dst] = if insn.code & 0xe0 == MEMSX { signed } else { value };
            }
            ST => self.store(at(self.registers[dst]), bytes, imm),
            STX if insn.code & 0xe0 == MEM => self.store(at(self.registers[dst]), bytes, self.registers[src]),
            STX => self.atomic(at(self.registers[dst]), insn.imm, src),
            ALU => {
                let wide = false;
                self.registers[dst] = arithmetic(insn, wide, self.registers[dst], operand) & 0xffff_ffff;
            }
            ALU64 => self.registers[dst] = arithmetic(insn, true, self.registers[dst], operand),
            class => {
                if insn.code == JMP | CALL && insn.src_reg() == LOCAL {
                    let kept = std::array::from_fn(|register| self.registers[register + 6]);
                    self.callers.push((slot, kept));
                    self.registers[0] = mixed(self.effects.len() as u64);
                    self.clobber(6);
                    return (slot as i64 + 1 + i64::from(insn.imm)) as usize;
                }
                if insn.code == JMP | CALL {
                    self.call(insn.imm);
                    return slot + 1;
                }
                let wide = class == JMP;
                if insn.code == JMP | JA || is_taken(insn.code & 0xf0, wide, self.registers[dst], operand) {
                    return (slot as i64 + 1 + i64::from(insn.off)) as usize;
                }
            }
        }
        slot + 1
    }

    fn load(&self, at: u64, bytes: usize) -> u64 {
        let byte = |at: u64| {
            let inside = self.rodata.bytes.get(at.wrapping_sub(RODATA_AT) as usize);
            inside.copied().unwrap_or(mixed(at) as u8)
        };
        let mut value = [0; 8];
        for (place, byte_of) in value[..bytes].iter_mut().enumerate() {
            *byte_of = byte(at.wrapping_add(place as u64));
        }
        u64::from_le_bytes(value)
    }

    fn store(&mut self, at: u64, bytes: usize, value: u64) {
        let value = if bytes == 8 {
            value
        } else {
            value & ((1 << (8 * bytes)) - 1)
        };
        self.effects.push(Effect::Store { at, bytes, value });
    }

    fn atomic(&mut self, at: u64, operation: i32, src: usize) {
        let [r0, operand] = [self.registers[0], self.registers[src]];
        let expected = (operation == CMPXCHG).then_some(r0);
        self.effects.push(Effect::Atomic {
            at,
            operation,
            operand,
            expected,
        });
        let old = mixed(at ^ self.effects.len() as u64);
        if operation == CMPXCHG {
            self.registers[0] = old;
        } else if operation & FETCH != 0 {
            self.registers[src] = old;
        }
    }

    fn call(&mut self, helper: i32) {
        let arguments = std::array::from_fn(|argument| match argument < arguments_of(helper) {
            true => self.registers[argument + 1],
            false => 0,
        });
        self.effects.push(Effect::Call { helper, arguments });
        self.registers[0] = mixed(self.effects.len() as u64);
        self.clobber(1);
    }

    /// Overwrites five registers, the first of them `first`.
    fn clobber(&mut self, first: usize) {
        let seed = (self.effects.len() << 4 | self.callers.len()) as u64;
        for (register, value) in self.registers[first..first + 5].iter_mut().zip(1..) {
            *register = mixed(seed << 8 | value);
        }
    }
}

/// The number of a helper's arguments (include/uapi/linux/bpf.h); of those not listed here it does not matter.
fn arguments_of(helper: i32) -> usize {
    match helper {
        5 | 8 => 0,
        1 => 2,
        _ => 5,
    }
}

fn arithmetic(insn: &bpf_insn, wide: bool, dst: u64, operand: u64) -> u64 {
    let bits = if wide { 64 } else { 32 };
    // In 32 bits, operands are cut first; the caller cuts the result.
    let cut = |value: u64| if wide { value } else { value & 0xffff_ffff };
    let sign = |value: u64, bits: u32| ((value << (64 - bits)) as i64) >> (64 - bits);
    let (a, b) = (cut(dst), cut(operand));
    let shift = (b % u64::from(bits)) as u32;
    let is_signed = insn.off == 1;
    match insn.code & 0xf0 {
        ADD => a.wrapping_add(b),
        SUB => a.wrapping_sub(b),
        MUL => a.wrapping_mul(b),
        DIV if b == 0 => 0,
        DIV if is_signed => sign(a, bits).wrapping_div(sign(b, bits)) as u64,
        DIV => a / b,
        MOD if b == 0 => a,
        MOD if is_signed => sign(a, bits).wrapping_rem(sign(b, bits)) as u64,
        MOD => a % b,
        OR => a | b,
        AND => a & b,
        XOR => a ^ b,
        LSH => a << shift,
        RSH => a >> shift,
        ARSH => (sign(a, bits) >> shift) as u64,
        NEG => 0_u64.wrapping_sub(a),
        MOV if insn.off != 0 => sign(b, insn.off as u32) as u64,
        MOV => b,
        // The only byte swap in the tests swaps all bytes.
        _ => dst.swap_bytes(),
    }
}

fn is_taken(op: u8, wide: bool, dst: u64, operand: u64) -> bool {
    let cut = |value: u64| if wide { value } else { value & 0xffff_ffff };
    let signed = |value: u64| {
        if wide {
            value as i64
        } else {
            i64::from(value as i32)
        }
    };
    let (a, b) = (cut(dst), cut(operand));
    let (signed_a, signed_b) = (signed(dst), signed(operand));
    match op {
        JEQ => a == b,
        JNE => a != b,
        JGT => a > b,
        JGE => a >= b,
        JLT => a < b,
        JLE => a <= b,
        JSET => a & b != 0,
        JSGT => signed_a > signed_b,
        JSGE => signed_a >= signed_b,
        JSLT => signed_a < signed_b,
        JSLE => signed_a <= signed_b,
        _ => unreachable!("no branch"),
    }
}

/// Mixes the bits of a value beyond recognition.
fn mixed(value: u64) -> u64 {
    let value = (value ^ 0x9e37_79b9_7f4a_7c15).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (value ^ value >> 29).wrapping_mul(0x94d0_49bb_1331_11eb) ^ value >> 32
}
