//! The programs that rsct attaches to nf_conntrack.
//!
//! `hooks` holds one file per hooked function, `kernel` the typed readers of the kernel's structs,
//! `emit` the only way into the ring, `maps` every map.

#![no_std]
#![no_main]
// `slot!` in kernel/args.rs: a context access whose offset must stay in the instruction.
#![feature(asm_experimental_arch)]

mod births;
mod emit;
mod filter;
mod globals;
mod hooks;
mod kernel;
mod maps;
mod policy;
mod scratch;
mod task;

/// The licence declared to the kernel; without it the helpers are not to be had.
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

#[cfg(not(test))]
#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
