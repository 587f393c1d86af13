//! Random programs do the same after specialization, in no more instructions.

use aya_obj::generated::bpf_insn;
use proptest::prelude::*;

use super::super::{Rodata, code, jumps, opcode::*, specialize};
use super::{assemble::*, machine};

/// One instruction of a random program.
#[derive(Clone, Debug)]
enum Step {
    Slots(Vec<bpf_insn>),
    /// A jump over this many steps.
    Jump(bpf_insn, usize),
    /// A call of the function that follows the program.
    Call,
}

/// Registers that programs compute with; r9 is left for loops.
fn register() -> impl Strategy<Value = u8> {
    0..8_u8
}

fn any_register() -> impl Strategy<Value = u8> {
    prop_oneof![9 => register(), 1 => Just(10)]
}

fn number() -> impl Strategy<Value = i32> {
    prop_oneof![4 => -2..40, 1 => any::<i32>(), 1 => Just(i32::MIN), 1 => Just(i32::MAX)]
}

fn word() -> impl Strategy<Value = u64> {
    prop_oneof![
        4 => 0..40_u64,
        1 => any::<u64>(),
        1 => Just(u64::MAX),
        1 => Just(0x8000_0000),
        1 => Just(0xffff_ffff),
    ]
}

fn width() -> impl Strategy<Value = u8> {
    prop_oneof![Just(B), Just(H), Just(W), Just(DW)]
}

fn arithmetic() -> impl Strategy<Value = bpf_insn> {
    let ops = prop::sample::select(vec![
        ADD, ADD, SUB, MUL, DIV, OR, AND, LSH, RSH, NEG, MOD, XOR, MOV, MOV, ARSH, END,
    ]);
    (
        ops,
        any::<bool>(),
        any::<bool>(),
        register(),
        register(),
        number(),
        any::<bool>(),
    )
        .prop_map(|(op, wide, second, dst, src, imm, signed)| {
            let bits = if wide { 64 } else { 32 };
            let class = if wide { ALU64 } else { ALU };
            let imm = match op {
                LSH | RSH | ARSH => imm.rem_euclid(bits),
                DIV | MOD if imm == 0 => 7,
                _ => imm,
            };
            match op {
                NEG => insn(class | op, dst, 0, 0, 0),
                END => insn(ALU64 | END, dst, 0, 0, 64),
                _ if second => {
                    let off = match op {
                        DIV | MOD => i16::from(signed),
                        MOV if signed => 8,
                        _ => 0,
                    };
                    insn(class | op | X, dst, src, off, 0)
                }
                _ => insn(class | op, dst, 0, 0, imm),
            }
        })
}

fn memory() -> impl Strategy<Value = bpf_insn> {
    let atomics = prop::sample::select(vec![ADD.into(), i32::from(AND) | FETCH, XCHG, CMPXCHG]);
    (width(), register(), any_register(), -8..32_i16, number(), atomics).prop_flat_map(
        |(width, first, second, off, imm, atomic)| {
            prop_oneof![
                4 => Just(insn(LDX | MEM | width, first, second, off, 0)),
                1 => Just(insn(LDX | MEMSX | W, first, second, off, 0)),
                1 => Just(insn(ST | MEM | width, second, 0, off, imm)),
                2 => Just(insn(STX | MEM | width, second, first, off, 0)),
                1 => Just(insn(STX | ATOMIC | DW, second, first, off, atomic)),
            ]
        },
    )
}

fn jump() -> impl Strategy<Value = Step> {
    let ops = prop::sample::select(vec![
        JEQ, JNE, JGT, JGE, JLT, JLE, JSET, JSGT, JSGE, JSLT, JSLE, JA,
    ]);
    (
        ops,
        any::<bool>(),
        any::<bool>(),
        register(),
        register(),
        number(),
        0..8_usize,
    )
        .prop_map(|(op, wide, second, dst, src, imm, over)| {
            let class = if wide { JMP } else { JMP32 };
            let jump = match op {
                JA => insn(JMP | JA, 0, 0, 0, 0),
                _ if second => insn(class | op | X, dst, src, 0, 0),
                _ => insn(class | op, dst, 0, 0, imm),
            };
            Step::Jump(jump, over)
        })
}

/// The compiler's code for a field: a pointer plus a constant, and a load from there.
fn field() -> impl Strategy<Value = Vec<bpf_insn>> {
    (register(), register(), register(), 0..8_i32, -8..32_i16).prop_map(
        |(offset, base, pointer, word, off)| {
            let mut steps = rodata(offset, word * 8).to_vec();
            steps.extend([
                load(DW, offset, offset, 0),
                mov_register(pointer, base),
                insn(ALU64 | ADD | X, pointer, offset, 0, 0),
                load(W, base, pointer, off),
            ]);
            steps
        },
    )
}

fn step() -> impl Strategy<Value = Vec<Step>> {
    let one = |insn| vec![Step::Slots(vec![insn])];
    prop_oneof![
        3 => (register(), 0..60_i32).prop_map(|(dst, at)| vec![Step::Slots(rodata(dst, at).to_vec())]),
        1 => (register(), word()).prop_map(|(dst, word)| vec![Step::Slots(number64(dst, word).to_vec())]),
        1 => register().prop_map(|dst| vec![Step::Slots(map(dst).to_vec())]),
        3 => field().prop_map(|insns| {
            // The first instruction has two slots.
            let (wide, rest) = insns.split_at(2);
            let rest = rest.iter().map(|insn| Step::Slots(vec![*insn]));
            std::iter::once(Step::Slots(wide.to_vec())).chain(rest).collect()
        }),
        6 => arithmetic().prop_map(one),
        6 => memory().prop_map(one),
        4 => jump().prop_map(|jump| vec![jump]),
        1 => Just(vec![Step::Call]),
        1 => (1..9_i32).prop_map(move |helper| one(call(helper))),
    ]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    prop::collection::vec(step(), 1..30).prop_map(|steps| steps.concat())
}

fn constants() -> impl Strategy<Value = Rodata> {
    prop::collection::vec(word(), 8).prop_map(|words| Rodata {
        fd: RODATA,
        bytes: words.iter().flat_map(|word| word.to_ne_bytes()).collect(),
    })
}

fn length(step: &Step) -> usize {
    match step {
        Step::Slots(slots) => slots.len(),
        Step::Jump(..) | Step::Call => 1,
    }
}

fn slots(steps: &[Step]) -> usize {
    steps.iter().map(length).sum()
}

/// A function of these steps, which calls none.
fn body(mut steps: Vec<Step>) -> Vec<bpf_insn> {
    steps.retain(|step| !matches!(step, Step::Call));
    let mut function = assembled(&steps, 0, 0);
    function.push(exit());
    function
}

/// The program of these steps, where calls lead to the slot `function`.
fn assembled(steps: &[Step], at: usize, function: usize) -> Vec<bpf_insn> {
    let mut program = Vec::new();
    for (index, step) in steps.iter().enumerate() {
        match step {
            Step::Slots(slots) => program.extend(slots),
            Step::Jump(jump, over) => {
                let skipped = &steps[index + 1..];
                let over = slots(&skipped[..skipped.len().min(*over)]);
                program.push(bpf_insn {
                    off: i16::try_from(over).unwrap(),
                    ..*jump
                });
            }
            Step::Call => {
                let distance = function - (at + program.len() + 1);
                program.push(local_call(i32::try_from(distance).unwrap()));
            }
        }
    }
    program
}

fn check(program: &[bpf_insn], rodata: &Rodata) -> Result<(), TestCaseError> {
    let special = specialize(program, rodata);
    let (expected, most) = machine::run(program, rodata);
    let (run, executed) = machine::run(&special, rodata);
    prop_assert_eq!(run, expected, "{:#?}", listing(&special));
    prop_assert!(executed <= most, "{} > {}", executed, most);
    // The verifier refuses unreachable code, and a program without an end.
    let decoded = code::decode(&special);
    prop_assert!(decoded.is_some_and(|code| jumps::reached(&code).iter().all(|reached| *reached)));
    Ok(())
}

proptest! {
    #[test]
    fn a_specialized_program_does_the_same(steps in steps(), function in steps(), rodata in constants()) {
        let mut program = assembled(&steps, 0, slots(&steps) + 1);
        program.push(exit());
        program.extend(body(function));
        check(&program, &rodata)?;
    }

    /// The values at the start of a loop must hold in all its rounds.
    #[test]
    fn a_specialized_loop_does_the_same(
        before in steps(),
        inside in steps(),
        function in steps(),
        rounds in 1..4_i32,
        rodata in constants(),
    ) {
        let start = slots(&before) + 1;
        let end = start + slots(&inside) + 3;
        let mut program = assembled(&before, 0, end);
        program.push(mov(9, rounds));
        program.extend(assembled(&inside, start, end));
        let back = i16::try_from(start).unwrap() - i16::try_from(end - 1).unwrap();
        program.extend([add(9, -1), insn(JMP | JNE, 9, 0, back, 0), exit()]);
        program.extend(body(function));
        check(&program, &rodata)?;
    }

    /// Not even a meaningless program may cause a panic.
    #[test]
    fn any_program_is_accepted(slots in prop::collection::vec(any::<u64>(), 0..40), rodata in constants()) {
        let slots: Vec<bpf_insn> = slots
            .iter()
            .map(|slot| insn(*slot as u8, (slot >> 8) as u8 & 15, (slot >> 12) as u8 & 15, (slot >> 16) as i16 % 8, (slot >> 32) as i32))
            .collect();
        specialize(&slots, &rodata);
    }
}
