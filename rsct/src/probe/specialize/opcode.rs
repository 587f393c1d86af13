//! The parts of an opcode, as bytes: in aya-obj they are `u32`.

use aya_obj::generated as bpf;

macro_rules! bytes {
    ($($name:ident = $value:ident;)*) => {
        $(pub(crate) const $name: u8 = bpf::$value as u8;)*
    };
}

// Classes.
bytes! {
    LD = BPF_LD;
    LDX = BPF_LDX;
    ST = BPF_ST;
    STX = BPF_STX;
    ALU = BPF_ALU;
    JMP = BPF_JMP;
    JMP32 = BPF_JMP32;
    ALU64 = BPF_ALU64;
}

// The second operand: a number or a register.
bytes! {
    K = BPF_K;
    X = BPF_X;
}

// Arithmetic.
bytes! {
    ADD = BPF_ADD;
    SUB = BPF_SUB;
    MUL = BPF_MUL;
    DIV = BPF_DIV;
    OR = BPF_OR;
    AND = BPF_AND;
    LSH = BPF_LSH;
    RSH = BPF_RSH;
    NEG = BPF_NEG;
    MOD = BPF_MOD;
    XOR = BPF_XOR;
    MOV = BPF_MOV;
    ARSH = BPF_ARSH;
    END = BPF_END;
}

// Jumps.
bytes! {
    JA = BPF_JA;
    JEQ = BPF_JEQ;
    JGT = BPF_JGT;
    JGE = BPF_JGE;
    JSET = BPF_JSET;
    JNE = BPF_JNE;
    JSGT = BPF_JSGT;
    JSGE = BPF_JSGE;
    CALL = BPF_CALL;
    EXIT = BPF_EXIT;
    JLT = BPF_JLT;
    JLE = BPF_JLE;
    JSLT = BPF_JSLT;
    JSLE = BPF_JSLE;
}

// Modes and widths of memory accesses.
bytes! {
    MEM = BPF_MEM;
    MEMSX = BPF_MEMSX;
    ATOMIC = BPF_ATOMIC;
    B = BPF_B;
    H = BPF_H;
    W = BPF_W;
    DW = BPF_DW;
}

/// The 64-bit load of a number or of a map, the one instruction of two slots.
pub(super) const LDDW: u8 = LD | DW | bpf::BPF_IMM as u8;

/// `src` of an [`LDDW`] that loads a number.
pub(super) const NUMBER: u8 = 0;
/// `src` of an [`LDDW`] that loads a map's address.
pub(super) const MAP: u8 = bpf::BPF_PSEUDO_MAP_FD as u8;
/// `src` of an [`LDDW`] that loads an address inside a map's value.
pub(super) const MAP_VALUE: u8 = bpf::BPF_PSEUDO_MAP_VALUE as u8;

/// `src` of a call of one of the program's own functions.
pub(super) const LOCAL: u8 = bpf::BPF_PSEUDO_CALL as u8;

/// The atomic operations: all known ones, each with and without [`FETCH`].
pub(super) const ATOMICS: [i32; 4] = [ADD as i32, OR as i32, AND as i32, XOR as i32];
/// The bit of an atomic operation that stores the old value in `src`.
pub(super) const FETCH: i32 = bpf::BPF_FETCH as i32;
/// Atomic exchange: always fetches.
pub(super) const XCHG: i32 = bpf::BPF_XCHG as i32;
/// Atomic compare and exchange: compares with r0, and fetches into it.
pub(super) const CMPXCHG: i32 = bpf::BPF_CMPXCHG as i32;
