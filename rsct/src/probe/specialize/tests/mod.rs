//! Tests of each rule: rewrites, and code that stays unchanged.

mod addresses;
mod assemble;
mod machine;
mod random;
mod refusals;

use aya_obj::generated::bpf_insn;

use super::{opcode::*, *};
use assemble::*;

/// `.rodata`: 16, 0, a number of 33 bits, one of 32 bits, all ones.
fn constants() -> Rodata {
    let words = [16_u64, 0, 0x1_0000_0002, 0x8000_0000, u64::MAX];
    Rodata {
        fd: RODATA,
        bytes: words.iter().flat_map(|word| word.to_ne_bytes()).collect(),
    }
}

#[track_caller]
fn assert_becomes(program: &[bpf_insn], expected: &[bpf_insn]) {
    let special = specialize(program, &constants());
    assert_eq!(listing(&special), listing(expected));
}

#[track_caller]
fn assert_stays(program: &[bpf_insn]) {
    assert_becomes(program, program);
}

#[test]
fn a_constant_is_loaded_without_memory() {
    let loads = |width, at| program![rodata(1, at), load(width, 0, 1, 0), exit()];
    assert_becomes(&loads(DW, 0), &program![mov(0, 16), exit()]);
    assert_becomes(&loads(W, 16), &program![mov(0, 2), exit()]);
    assert_becomes(&loads(H, 32), &program![mov(0, 0xffff), exit()]);
    assert_becomes(&loads(B, 32), &program![mov(0, 0xff), exit()]);
    assert_becomes(&loads(DW, 32), &program![mov(0, -1), exit()]);
    // Half of a register: the other half is zero.
    let short = insn(ALU | MOV | K, 0, 0, 0, i32::MIN);
    assert_becomes(&loads(DW, 24), &program![short, exit()]);
    assert_becomes(&loads(DW, 16), &program![number64(0, 0x1_0000_0002), exit()]);
}

#[test]
fn only_rodata_is_constant() {
    // Beyond its end, which the kernel refuses.
    assert_stays(&program![rodata(1, 36), load(DW, 0, 1, 0), exit()]);
    assert_stays(&program![rodata(1, 0), load(DW, 0, 1, -8), exit()]);
    // Another map's value.
    let [first, second] = rodata(1, 0);
    let other = bpf_insn {
        imm: RODATA + 1,
        ..first
    };
    assert_stays(&program![[other, second], load(DW, 0, 1, 0), exit()]);
}

#[test]
fn a_decided_branch_has_one_direction() {
    let filter = |at| {
        program![
            rodata(2, at),
            load(DW, 2, 2, 0),
            branch(JEQ, 2, 0, 2),
            mov(0, 1),
            exit(),
            mov(0, 2),
            exit()
        ]
    };
    assert_becomes(&filter(0), &program![mov(0, 1), exit()]);
    assert_becomes(&filter(8), &program![mov(0, 2), exit()]);
}

#[test]
fn a_branch_of_32_bits_looks_at_those() {
    let low = |code| {
        program![
            rodata(2, 16),
            load(DW, 2, 2, 0),
            insn(code | JEQ | K, 2, 0, 1, 2),
            store(DW, 10, -8, 1),
            mov(0, 0),
            exit()
        ]
    };
    assert_becomes(&low(JMP32), &program![mov(0, 0), exit()]);
    assert_becomes(&low(JMP), &program![store(DW, 10, -8, 1), mov(0, 0), exit()]);
}

#[test]
fn one_of_eight_arguments_is_loaded() {
    // The compiler's code for `kernel::args::typed`, for three positions.
    assert_becomes(
        &program![
            rodata(2, 8),
            load(DW, 2, 2, 0),
            branch(JGT, 2, 1, 3),
            branch(JEQ, 2, 0, 4),
            load(DW, 0, 1, 8),
            goto(3),
            load(DW, 0, 1, 16),
            goto(1),
            load(DW, 0, 1, 0),
            exit()
        ],
        &program![load(DW, 0, 1, 0), exit()],
    );
}

#[test]
fn a_known_operand_is_a_number() {
    let with = |op: bpf_insn| program![rodata(3, 0), load(DW, 3, 3, 0), load(DW, 0, 1, 0), op, exit()];
    assert_becomes(
        &with(insn(ALU64 | LSH | X, 0, 3, 0, 0)),
        &program![load(DW, 0, 1, 0), insn(ALU64 | LSH | K, 0, 0, 0, 16), exit()],
    );
    assert_becomes(
        &program![
            rodata(3, 0),
            load(DW, 3, 3, 0),
            load(DW, 0, 1, 0),
            branch_register(JGT, 3, 0, 1),
            mov(0, 1),
            exit()
        ],
        &program![load(DW, 0, 1, 0), branch(JLT, 0, 16, 1), mov(0, 1), exit()],
    );
}

#[test]
fn an_operand_that_the_verifier_refuses_stays_in_its_register() {
    let with = |at, op: bpf_insn| program![rodata(3, at), load(DW, 3, 3, 0), load(DW, 0, 1, 0), op, exit()];
    let kept = |number: bpf_insn, op: bpf_insn| program![number, load(DW, 0, 1, 0), op, exit()];
    for op in [DIV, MOD] {
        let op = insn(ALU64 | op | X, 0, 3, 0, 0);
        assert_becomes(&with(8, op), &kept(mov(3, 0), op));
    }
    let shift = insn(ALU64 | RSH | X, 0, 3, 0, 0);
    assert_becomes(&with(32, shift), &kept(mov(3, -1), shift));
    // Larger than an instruction can hold.
    let wide = insn(ALU64 | AND | X, 0, 3, 0, 0);
    let expected = program![number64(3, 0x1_0000_0002), load(DW, 0, 1, 0), wide, exit()];
    assert_becomes(&with(16, wide), &expected);
}

#[test]
fn what_changes_nothing_goes() {
    assert_becomes(
        &program![
            rodata(2, 8),
            load(DW, 2, 2, 0),
            load(DW, 1, 1, 0),
            add_register(1, 2),
            insn(ALU64 | AND | K, 1, 0, 0, -1),
            store(DW, 10, -8, 1),
            mov(0, 0),
            exit()
        ],
        &program![load(DW, 1, 1, 0), store(DW, 10, -8, 1), mov(0, 0), exit()],
    );
    // In 32 bits the upper half is cleared.
    assert_stays(&program![
        load(DW, 0, 1, 0),
        insn(ALU | ADD | K, 0, 0, 0, 0),
        exit()
    ]);
}

#[test]
fn a_value_that_differs_between_directions_is_unknown() {
    let joined = |one, other| {
        program![
            load(DW, 2, 1, 0),
            branch(JEQ, 2, 0, 2),
            mov(3, one),
            goto(1),
            mov(3, other),
            mov_register(0, 3),
            exit()
        ]
    };
    assert_becomes(&joined(5, 5), &program![load(DW, 2, 1, 0), mov(0, 5), exit()]);
    assert_becomes(&joined(5, 6), &joined(5, 6));
}

#[test]
fn a_loop_does_not_know_its_counter() {
    assert_stays(&program![
        mov(6, 3),
        call(5),
        add(6, -1),
        branch(JNE, 6, 0, -3),
        mov(0, 0),
        exit()
    ]);
}

#[test]
fn what_nothing_needs_goes_but_loads_stay() {
    assert_becomes(
        &program![
            load(DW, 2, 1, 0),
            mov_register(3, 2),
            insn(ALU64 | LSH | K, 3, 0, 0, 3),
            map(4),
            mov(0, 0),
            exit()
        ],
        &program![load(DW, 2, 1, 0), mov(0, 0), exit()],
    );
}

#[test]
fn a_call_takes_its_arguments_and_leaves_none_of_five_registers() {
    assert_becomes(
        &program![mov(1, 1), mov(5, 5), mov(0, 7), call(6), exit()],
        &program![mov(1, 1), mov(5, 5), call(6), exit()],
    );
    // bpf_map_lookup_elem takes two, bpf_ktime_get_ns none.
    let looked_up = |third| program![map(1), add(2, 1), third, call(1), exit()];
    assert_becomes(
        &looked_up(mov(3, 3)),
        &program![map(1), add(2, 1), call(1), exit()],
    );
    assert_becomes(
        &program![mov(1, 1), mov(5, 5), mov(0, 7), call(5), exit()],
        &program![call(5), exit()],
    );
    assert_stays(&program![
        mov(3, 1),
        call(6),
        insn(JMP | JEQ | K, 3, 0, 1, 1),
        mov(0, 0),
        exit()
    ]);
}

#[test]
fn a_function_is_called_where_it_is() {
    let function = |called: bpf_insn| {
        program![
            mov(6, 1),
            rodata(2, 0),
            load(DW, 2, 2, 0),
            branch(JEQ, 2, 16, 1),
            local_call(4),
            called,
            insn(JMP | JEQ | K, 6, 0, 1, 1),
            call(5),
            exit(),
            // Never called.
            exit(),
            mov_register(0, 2),
            exit()
        ]
    };
    assert_becomes(
        &function(local_call(4)),
        &program![mov(2, 16), local_call(1), exit(), mov_register(0, 2), exit()],
    );
    assert_becomes(&function(mov(0, 0)), &program![mov(0, 0), exit()]);
}

#[test]
fn a_jump_leads_where_control_ends_up() {
    assert_becomes(
        &program![
            load(DW, 0, 1, 0),
            branch(JEQ, 0, 1, 3),
            branch(JEQ, 0, 2, 1),
            goto(1),
            mov(2, 0),
            goto(1),
            call(5),
            exit()
        ],
        // Both branches skipped unused instructions.
        &program![load(DW, 0, 1, 0), exit()],
    );
}
