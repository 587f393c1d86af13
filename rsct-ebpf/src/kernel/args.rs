//! A hooked function's arguments, by position.

use crate::globals::RETURN_DEPTH;

use super::{Memory, Typed, Untyped, hook_state::HookState, nf_conn::NfConn, sk_buff::SkBuff};
use aya_ebpf::{
    EbpfContext, Global,
    programs::{FEntryContext, FExitContext, ProbeContext, RetProbeContext},
};

/// A context with a function's arguments.
pub trait Arguments {
    /// How to read memory through a pointer of this context.
    type Pointer: Memory;

    /// Returns the argument at the position stored in `position`.
    fn pointer(&self, position: &Global<u64>) -> *const u8;

    /// The same for a number.
    fn number(&self, position: &Global<u64>) -> u64;

    /// Returns the argument after it: the first variadic argument of a variadic function.
    fn following(&self, position: &Global<u64>) -> u64;

    /// Returns the packet at the position stored in `position`.
    #[inline(always)]
    fn packet(&self, position: &Global<u64>) -> SkBuff<Self::Pointer> {
        SkBuff::new(self.pointer(position))
    }

    /// Returns the entry.
    #[inline(always)]
    fn entry(&self, position: &Global<u64>) -> NfConn<Self::Pointer> {
        NfConn::new(self.pointer(position))
    }

    /// Returns the state of the hook.
    #[inline(always)]
    fn hook_state(&self, position: &Global<u64>) -> HookState<Self::Pointer> {
        HookState::new(self.pointer(position))
    }
}

/// Loads the eight bytes at `$offset` of the context, with the offset in the instruction itself: the verifier refuses
/// a modified context pointer, and the compiler would modify it, because the loads are alike.
macro_rules! word {
    ($ctx:expr, $offset:expr) => {{
        let value: u64;
        // SAFETY: the verifier checks that the context has this word.
        unsafe {
            core::arch::asm!(
                "{value} = *(u64 *)({ctx} + {offset})",
                ctx = in(reg) $ctx,
                value = out(reg) value,
                offset = const $offset,
                options(readonly, nostack, preserves_flags),
            );
        }
        value
    }};
}

/// The position is a constant to the verifier, which prunes all other branches.
#[inline(always)]
fn typed(ctx: *const u8, position: u64) -> u64 {
    match position {
        0 => word!(ctx, 0),
        1 => word!(ctx, 8),
        2 => word!(ctx, 16),
        3 => word!(ctx, 24),
        4 => word!(ctx, 32),
        5 => word!(ctx, 40),
        6 => word!(ctx, 48),
        7 => word!(ctx, 56),
        _ => 0,
    }
}

/// The offsets in `struct pt_regs` of the registers that carry arguments.
#[cfg(bpf_target_arch = "x86_64")]
const ARGUMENT_REGISTERS: [i32; 6] = [112, 104, 96, 88, 72, 64];
#[cfg(bpf_target_arch = "aarch64")]
const ARGUMENT_REGISTERS: [i32; 6] = [0, 8, 16, 24, 32, 40];

/// The same for a kprobe.
#[inline(always)]
fn register(regs: *const u8, position: u64) -> u64 {
    match position {
        0 => word!(regs, ARGUMENT_REGISTERS[0]),
        1 => word!(regs, ARGUMENT_REGISTERS[1]),
        2 => word!(regs, ARGUMENT_REGISTERS[2]),
        3 => word!(regs, ARGUMENT_REGISTERS[3]),
        4 => word!(regs, ARGUMENT_REGISTERS[4]),
        5 => word!(regs, ARGUMENT_REGISTERS[5]),
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

            #[inline(always)]
            fn following(&self, position: &Global<u64>) -> u64 {
                typed(self.as_ptr().cast(), position.load() + 1)
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
        register(self.as_ptr().cast(), position.load())
    }

    #[inline(always)]
    fn following(&self, position: &Global<u64>) -> u64 {
        register(self.as_ptr().cast(), position.load() + 1)
    }
}

/// A stack address that identifies a function's frame during the call: the same at entry and at exit, and above the
/// frames of the functions that it calls.
pub trait Frame {
    /// Returns that address.
    fn frame(&self) -> u64;
}

/// The trampoline stores the arguments on the stack, for all programs of a function.
macro_rules! trampoline_frames {
    ($($context:ty),*) => {
        $(impl Frame for $context {
            #[inline(always)]
            fn frame(&self) -> u64 {
                self.as_ptr() as u64
            }
        })*
    };
}

trampoline_frames!(FEntryContext, FExitContext);

/// The caller's stack pointer.
#[cfg(bpf_target_arch = "x86_64")]
impl Frame for ProbeContext {
    #[inline(always)]
    fn frame(&self) -> u64 {
        // On entry, the return address is on top of the caller's stack.
        // SAFETY: the registers are the context.
        unsafe { (*self.regs).rsp + 8 }
    }
}

#[cfg(bpf_target_arch = "x86_64")]
impl Frame for RetProbeContext {
    #[inline(always)]
    fn frame(&self) -> u64 {
        // SAFETY: the registers are the context.
        unsafe { (*self.regs).rsp + RETURN_DEPTH.load() }
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
        unsafe { (*self.regs).sp + RETURN_DEPTH.load() }
    }
}
