//! The programs that find causes: the object of `rsct why`, and of `rsct trace` for the causes that it shows.
//!
//! One file per hooked function; `report` counts a cause and emits its record.

#![no_std]
#![no_main]

mod alloc;
mod check_insert;
mod clash;
mod death;
mod delete;
mod early_drop;
mod event;
mod fate;
mod invalid;
mod kept;
mod nat;
mod nat_tries;
mod nested;
mod never_confirmed;
mod new_conntrack;
mod no_entry;
mod overrun;
#[path = "../proof.rs"]
mod proof;
mod reason;
mod report;
mod unconfirmed;

use rsct_ebpf::{emit, filter, globals, kernel, scratch, task, words};

/// The license declared to the kernel: GPL-only helpers require one that is compatible with the GPL.
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

#[cfg(not(test))]
#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
