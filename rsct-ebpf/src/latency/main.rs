//! The programs that measure how long conntrack takes: histograms kept in the kernel, and no record for a packet.
//!
//! The object of `rsct latency`: one file per measured function. `timing` remembers when a function was entered, `tally`
//! counts how long it took, `slow` tells of what took too long.

#![no_std]
#![no_main]

mod confirm;
mod conntrack_in;
mod contention;
mod flow;
mod gc_worker;
mod globals;
mod lock;
mod nat_setup;
mod overhead;
#[path = "../proof.rs"]
mod proof;
mod slow;
mod tally;
mod timing;

/// The licence declared to the kernel; without it the helpers are not to be had.
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

#[cfg(not(test))]
#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
