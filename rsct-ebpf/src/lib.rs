//! Code that the programs of all objects share: `kernel` holds the typed readers of the kernel's structs, `globals`
//! the values set by the loader, `emit` puts records into the ring.
//!
//! Each object is a separate binary, so each command loads only the programs that it needs.

#![no_std]
#![expect(
    missing_docs,
    reason = "names are the kernel's; comments say what the kernel does not"
)]
// `word!` in kernel/args.rs: a context access whose offset must stay in the instruction.
#![feature(asm_experimental_arch)]

pub mod births;
pub mod emit;
pub mod filter;
pub mod globals;
pub mod kernel;
pub mod maps;
pub mod policy;
pub mod scratch;
pub mod task;
pub mod words;
