//! A hooked function's arguments, by position.

use aya_ebpf::{
    EbpfContext, Global,
    programs::{FEntryContext, FExitContext, ProbeContext, RetProbeContext},
};
use rsct_common::hook::NO_ARGUMENT;

use super::{Memory, Typed, Untyped};

/// A context that has a function's arguments.
pub trait Arguments {
    /// What the verifier knows of a pointer that comes out of this context.
    type Pointer: Memory;

    /// The argument whose position `position` holds.
    fn pointer(&self, position: &Global<u64>) -> *const u8;

    /// The same for a number.
    fn number(&self, position: &Global<u64>) -> u64;
}

/// Loads slot `$n` of the context with the offset in the instruction itself: the verifier refuses
/// a context pointer that was moved first, and the compiler would move it if the loads were alike.
macro_rules! slot {
    ($ctx:expr, $n:literal) => {{
        let value: u64;
        // SAFETY: the verifier checks that the context has this slot.
        unsafe {
            core::arch::asm!(
                concat!("{value} = *(u64 *)({ctx} + ", $n, " * 8)"),
                ctx = in(reg) $ctx,
                value = out(reg) value,
                options(readonly, nostack, preserves_flags),
            );
        }
        value
    }};
}

/// The position is a constant to the verifier: it prunes all branches but one.
#[inline(always)]
fn typed(ctx: *const u8, position: u64) -> u64 {
    match position {
        0 => slot!(ctx, 0),
        1 => slot!(ctx, 1),
        2 => slot!(ctx, 2),
        3 => slot!(ctx, 3),
        4 => slot!(ctx, 4),
        5 => slot!(ctx, 5),
        6 => slot!(ctx, 6),
        7 => slot!(ctx, 7),
        _ => 0,
    }
}

macro_rules! typed_arguments {
    ($($context:ty),*) => {
        $(impl Arguments for $context {
            type Pointer = Typed;

            #[inline(always)]
            fn pointer(&self, position: &Global<u64>) -> *const u8 {
                typed(self.as_ptr().cast(), position.load()) as *const u8
            }

            #[inline(always)]
            fn number(&self, position: &Global<u64>) -> u64 {
                typed(self.as_ptr().cast(), position.load())
            }
        })*
    };
}

typed_arguments!(FEntryContext, FExitContext);

impl Arguments for ProbeContext {
    type Pointer = Untyped;

    #[inline(always)]
    fn pointer(&self, position: &Global<u64>) -> *const u8 {
        self.number(position) as *const u8
    }

    #[inline(always)]
    fn number(&self, position: &Global<u64>) -> u64 {
        let position = position.load();
        if position == NO_ARGUMENT {
            return 0;
        }
        match position {
            0 => self.arg(0),
            1 => self.arg(1),
            2 => self.arg(2),
            3 => self.arg(3),
            4 => self.arg(4),
            5 => self.arg(5),
            _ => None,
        }
        .unwrap_or(0)
    }
}

/// The stack pointer of the hooked function's caller: it names a frame while that is under way,
/// and is the same when the function is entered and when it has returned.
pub trait Frame {
    /// The caller's stack pointer.
    fn frame(&self) -> u64;
}

#[cfg(bpf_target_arch = "x86_64")]
impl Frame for ProbeContext {
    #[inline(always)]
    fn frame(&self) -> u64 {
        // On entry the return address lies on top of the caller's stack.
        // SAFETY: the registers are the context.
        unsafe { (*self.regs).rsp + 8 }
    }
}

#[cfg(bpf_target_arch = "x86_64")]
impl Frame for RetProbeContext {
    #[inline(always)]
    fn frame(&self) -> u64 {
        // SAFETY: the registers are the context.
        unsafe { (*self.regs).rsp }
    }
}

#[cfg(bpf_target_arch = "aarch64")]
impl Frame for ProbeContext {
    #[inline(always)]
    fn frame(&self) -> u64 {
        // SAFETY: the registers are the context.
        unsafe { (*self.regs).sp }
    }
}

#[cfg(bpf_target_arch = "aarch64")]
impl Frame for RetProbeContext {
    #[inline(always)]
    fn frame(&self) -> u64 {
        // SAFETY: the registers are the context.
        unsafe { (*self.regs).sp }
    }
}
