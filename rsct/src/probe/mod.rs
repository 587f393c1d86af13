//! Getting the programs into the kernel, and their records out of it.
//!
//! [`layout`] finds out where this kernel keeps what the programs read, [`enums`] that its
//! numbers mean what rsct calls them, [`object`] has the programs, [`hooks`] lists what they
//! attach to, [`session`] loads and attaches, `specialize` makes them for this kernel before that,
//! [`ring`] reads what they write, [`tallies`] what they count; [`overhead`] measures what measuring costs,
//! `detach` lets go of it all.

pub mod cause_hooks;
mod detach;
mod diagnostics;
pub mod enums;
pub mod hooks;
pub mod layout;
pub mod object;
pub mod overhead;
pub mod ring;
pub mod scope;
pub mod session;
mod specialize;
pub mod tallies;
mod tracing;
