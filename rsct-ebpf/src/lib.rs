//! What the programs of all objects are made of: `kernel` holds the typed readers of the kernel's structs, `globals`
//! what the loader tells the programs, `emit` the only way into the ring.
//!
//! Each object is a binary beside this: whoever starts one loads, and pays for, what it needs and no more.

#![no_std]
#![expect(
    missing_docs,
    reason = "names are the kernel's; what there is to say beyond that is said"
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
