//! The programs that measure conntrack's durations: histograms in the kernel, without a record per packet.
//!
//! The object of `rsct latency`: one file per measured function. `timing` stores when a function was entered, `tally`
//! counts its duration, `slow` emits calls that took too long.

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

/// The license declared to the kernel: GPL-only helpers require one that is compatible with the GPL.
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

#[cfg(not(test))]
#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
