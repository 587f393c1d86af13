//! The programs that rsct attaches to nf_conntrack.
//!
//! The object of `rsct trace`: `hooks` holds one file per hooked function.

#![no_std]
#![no_main]

mod hooks;
mod proof;

use rsct_ebpf::{births, emit, filter, globals, kernel, policy, scratch, task, words};

/// The license declared to the kernel: GPL-only helpers require one that is compatible with the GPL.
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

#[cfg(not(test))]
#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
