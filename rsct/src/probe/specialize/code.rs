//! Conversion of a program's instructions between the kernel's form and that of the passes.

use aya_obj::generated::bpf_insn;

use super::{insn::*, opcode::*};

/// Decodes a program. `None` for an instruction that the passes do not know: then no conclusion is safe.
pub(super) fn decode(slots: &[bpf_insn]) -> Option<Vec<Insn>> {
    let mut index_of_slot = vec![None; slots.len()];
    let mut slot_of_index = Vec::with_capacity(slots.len());
    let mut slot = 0;
    while slot < slots.len() {
        index_of_slot[slot] = Some(slot_of_index.len());
        slot_of_index.push(slot);
        slot += if slots[slot].code == LDDW { 2 } else { 1 };
    }
    let mut code = Vec::with_capacity(slot_of_index.len());
    for slot in slot_of_index {
        let raw = &slots[slot];
        let mut insn = Insn {
            code: raw.code,
            dst: raw.dst_reg(),
            src: raw.src_reg(),
            off: raw.off,
            imm: raw.imm,
            high: 0,
            target: 0,
        };
        if raw.code == LDDW {
            insn.high = slots.get(slot + 1)?.imm;
        }
        if !is_known(&insn) {
            return None;
        }
        if insn.is_goto() || insn.is_branch() {
            let target = (slot + 1).checked_add_signed(isize::from(raw.off))?;
            insn.target = (*index_of_slot.get(target)?)?;
            insn.off = 0;
        }
        if insn.is_local_call() {
            let target = (slot + 1).checked_add_signed(isize::try_from(raw.imm).ok()?)?;
            insn.target = (*index_of_slot.get(target)?)?;
            insn.imm = 0;
        }
        code.push(insn);
    }
    let last = code.last()?;
    (last.is_exit() || last.is_goto()).then_some(code)
}

fn is_known(insn: &Insn) -> bool {
    let known = match insn.class() {
        LD => insn.code == LDDW && matches!(insn.src, NUMBER | MAP | MAP_VALUE),
        LDX => matches!(insn.mode(), MEM | MEMSX),
        ST => insn.mode() == MEM,
        STX => match insn.mode() {
            MEM => true,
            ATOMIC => ATOMICS.contains(&(insn.imm & !FETCH)) || insn.imm == XCHG || insn.imm == CMPXCHG,
            _ => false,
        },
        ALU | ALU64 => insn.op() <= END && (insn.op() != NEG || insn.code & X == 0),
        _ if insn.is_goto() || insn.is_exit() => true,
        // A call of a kernel function may be of any kind.
        _ if insn.is_call() => matches!(insn.src, 0 | LOCAL),
        _ => insn.is_branch() && insn.op() <= JSLE,
    };
    known && insn.dst <= FRAME && insn.src <= FRAME && insn.writes() & bit(FRAME) == 0
}

/// Encodes a program. `None` if a jump would be longer than an instruction can hold.
pub(super) fn encode(code: &[Insn]) -> Option<Vec<bpf_insn>> {
    let mut slot_of_index = Vec::with_capacity(code.len());
    let mut count = 0;
    for insn in code {
        slot_of_index.push(count);
        count += if insn.code == LDDW { 2 } else { 1 };
    }
    let mut slots = Vec::with_capacity(count);
    for (index, insn) in code.iter().enumerate() {
        let (mut off, mut imm) = (insn.off, insn.imm);
        let distance = || slot_of_index[insn.target].cast_signed() - (slot_of_index[index] + 1).cast_signed();
        if insn.is_goto() || insn.is_branch() {
            off = i16::try_from(distance()).ok()?;
        }
        if insn.is_local_call() {
            imm = i32::try_from(distance()).ok()?;
        }
        slots.push(bpf_insn {
            code: insn.code,
            _bitfield_1: bpf_insn::new_bitfield_1(insn.dst, insn.src),
            off,
            imm,
        });
        if insn.code == LDDW {
            slots.push(bpf_insn {
                code: 0,
                _bitfield_1: bpf_insn::new_bitfield_1(0, 0),
                off: 0,
                imm: insn.high,
            });
        }
    }
    Some(slots)
}
