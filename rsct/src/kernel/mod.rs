//! What the running kernel says of itself: types, symbols, namespaces, ticks.

pub mod bpf_syscall;
pub mod btf;
pub mod clock;
pub mod hz;
pub mod symbols;
pub mod trial;
