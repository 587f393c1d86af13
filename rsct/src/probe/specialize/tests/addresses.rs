//! Constants and copies that can be merged into accesses, and those that cannot.

use super::super::opcode::*;
use super::{assemble::*, assert_becomes, assert_stays};

/// `r0 = *(u32 *)(r1 + 16 + 4)`, as compiled without knowing the 16.
fn field(after: impl FnOnce() -> Vec<aya_obj::generated::bpf_insn>) -> Vec<aya_obj::generated::bpf_insn> {
    let mut program = program![
        rodata(2, 0),
        load(DW, 2, 2, 0),
        mov_register(3, 1),
        add_register(3, 2),
        load(W, 0, 3, 4)
    ];
    program.extend(after());
    program
}

#[test]
fn a_field_is_one_load() {
    assert_becomes(&field(|| program![exit()]), &program![load(W, 0, 1, 20), exit()]);
}

#[test]
fn all_accesses_through_a_pointer_are_displaced() {
    assert_becomes(
        &field(|| {
            program![
                store(DW, 3, -8, 0),
                add(3, 8),
                load(DW, 3, 3, 0),
                store(DW, 10, -8, 3),
                exit()
            ]
        }),
        &program![
            load(W, 0, 1, 20),
            store(DW, 1, 8, 0),
            load(DW, 3, 1, 24),
            store(DW, 10, -8, 3),
            exit()
        ],
    );
}

#[test]
fn a_pointer_with_other_uses_is_computed() {
    let computed = |after: &dyn Fn() -> Vec<_>| {
        let mut program = program![mov_register(3, 1), add(3, 16), load(W, 0, 3, 4)];
        program.extend(after());
        assert_becomes(&field(after), &program);
    };
    computed(&|| program![mov(2, 8), call(6), exit()]);
    computed(&|| program![store(DW, 10, -8, 3), exit()]);
    computed(&|| program![store(DW, 3, 0, 3), exit()]);
    computed(&|| program![branch_register(JEQ, 3, 4, 1), mov(0, 1), exit()]);
    // Atomic operations are not rewritten.
    computed(&|| program![insn(STX | ATOMIC | DW, 3, 0, 0, 0), exit()]);
}

#[test]
fn a_distance_that_no_instruction_holds_is_added() {
    let far = |off| program![add(1, 0x7000), load(DW, 0, 1, off), exit()];
    assert_becomes(&far(0xfff), &program![load(DW, 0, 1, 0x7fff), exit()]);
    assert_stays(&far(0x1000));
}

#[test]
fn a_copy_outlives_its_original() {
    assert_stays(&program![
        mov_register(3, 1),
        load(DW, 1, 1, 0),
        store(DW, 1, 0, 3),
        mov(0, 0),
        exit()
    ]);
    // The instruction that overwrites the original may still read it.
    assert_becomes(
        &program![mov_register(3, 1), load(DW, 1, 3, 0), mov_register(0, 1), exit()],
        &program![load(DW, 1, 1, 0), mov_register(0, 1), exit()],
    );
}

#[test]
fn a_copy_that_is_changed_stays() {
    assert_stays(&program![
        mov_register(3, 1),
        insn(ALU64 | LSH | K, 3, 0, 0, 3),
        store(DW, 1, 0, 3),
        mov(0, 0),
        exit()
    ]);
}

#[test]
fn a_copy_is_replaced_in_all_operands() {
    assert_becomes(
        &program![
            mov_register(3, 1),
            store(DW, 3, 0, 3),
            load(DW, 0, 2, 0),
            add_register(0, 3),
            branch_register(JGT, 0, 3, 2),
            branch_register(JEQ, 2, 3, 1),
            load(DW, 3, 3, 8),
            exit()
        ],
        &program![
            store(DW, 1, 0, 1),
            load(DW, 0, 2, 0),
            add_register(0, 1),
            branch_register(JGT, 0, 1, 2),
            branch_register(JEQ, 2, 1, 1),
            load(DW, 3, 1, 8),
            exit()
        ],
    );
}

#[test]
fn a_pointer_that_is_needed_where_control_joins_is_computed() {
    assert_stays(&program![
        load(DW, 2, 1, 0),
        mov_register(3, 1),
        add(3, 16),
        branch(JEQ, 2, 0, 1),
        load(DW, 0, 3, 0),
        load(DW, 3, 3, 8),
        mov(0, 0),
        exit()
    ]);
    // But not if the remaining direction does not need it.
    assert_becomes(
        &program![
            load(DW, 2, 1, 0),
            add(1, 16),
            mov(0, 0),
            branch(JEQ, 2, 0, 1),
            load(DW, 0, 1, 0),
            exit()
        ],
        &program![
            load(DW, 2, 1, 0),
            mov(0, 0),
            branch(JEQ, 2, 0, 1),
            load(DW, 0, 1, 16),
            exit()
        ],
    );
}
