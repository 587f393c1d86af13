//! Typed readers of the kernel's structs.
//!
//! A pointer whose BTF type the verifier knows is read directly ([`Typed`]): no helper, and the kernel refuses to
//! load a program with a wrong offset. Any other pointer is read with `bpf_probe_read_kernel` ([`Untyped`]).

use core::{mem::MaybeUninit, ptr};

use aya_ebpf::{Global, helpers::generated::bpf_probe_read_kernel};
use rsct_common::field::ABSENT;

pub mod args;
pub mod cast;
pub mod hook_state;
pub mod nf_conn;
pub mod packet;
pub mod sk_buff;
pub mod tcp;
pub mod timeout_policy;
pub mod tuple;

/// The verdict on a packet that goes no further.
pub const NF_DROP: u32 = 0;

/// The method to read memory through a kernel pointer.
pub trait Memory: Copy {
    /// True for [`Typed`].
    const IS_TYPED: bool;

    /// Reads a `T`; unreadable memory reads as zero.
    fn read<T: Copy + Default>(pointer: *const u8) -> T;

    /// Reads the tuple at `pointer`, in words.
    fn read_tuple(pointer: *const u8) -> [u64; 5];
}

/// The verifier knows the pointer's type.
#[derive(Clone, Copy)]
pub struct Typed;

/// The pointer is a number to the verifier.
#[derive(Clone, Copy)]
pub struct Untyped;

impl Memory for Typed {
    const IS_TYPED: bool = true;

    #[inline(always)]
    fn read<T: Copy + Default>(pointer: *const u8) -> T {
        // SAFETY: the verifier checks the access against the kernel's BTF; volatile, so that the
        // compiler neither splits nor widens it.
        unsafe { ptr::read_volatile(pointer.cast()) }
    }

    #[inline(always)]
    fn read_tuple(pointer: *const u8) -> [u64; 5] {
        tuple::words(|offset| at(pointer, offset))
    }
}

impl Memory for Untyped {
    const IS_TYPED: bool = false;

    #[inline(always)]
    fn read<T: Copy + Default>(pointer: *const u8) -> T {
        let mut value = MaybeUninit::<T>::uninit();
        // SAFETY: the helper accepts any address. It always writes the whole value: zeros if it cannot read
        // (`bpf_probe_read_kernel_common`, kernel/trace/bpf_trace.c), so its result does not matter.
        unsafe {
            bpf_probe_read_kernel(value.as_mut_ptr().cast(), size_of::<T>() as u32, pointer.cast());
            value.assume_init()
        }
    }

    #[inline(always)]
    fn read_tuple(pointer: *const u8) -> [u64; 5] {
        Self::read(pointer)
    }
}

/// Returns `pointer` plus a constant.
#[inline(always)]
pub fn at(pointer: *const u8, offset: u64) -> *const u8 {
    pointer.wrapping_add(offset as usize)
}

/// Reads the field at `offset`.
#[inline(always)]
pub fn field<M: Memory, T: Copy + Default>(base: *const u8, offset: &Global<u64>) -> T {
    M::read(at(base, offset.load()))
}

/// Reads the field at `offset`, or returns the default if this kernel has no such field.
#[inline(always)]
pub fn optional<M: Memory, T: Copy + Default>(base: *const u8, offset: &Global<u64>) -> T {
    let offset = offset.load();
    if offset == ABSENT {
        T::default()
    } else {
        M::read(at(base, offset))
    }
}
