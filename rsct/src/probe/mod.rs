//! Getting the programs into the kernel, and their records out of it.
//!
//! [`layout`] finds out where this kernel keeps what the programs read, [`enums`] that its
//! numbers mean what rsct calls them, [`object`] has the programs, [`hooks`] lists what they
//! attach to, `specialize` shortens them for this kernel, `attach` loads and attaches one hook and
//! [`session`] all of them, `detach` detaches them; [`ring`] reads records, [`tallies`] counts;
//! [`overhead`] measures the cost of measuring.

mod attach;
pub mod cause_hooks;
mod detach;
mod diagnostics;
pub mod enums;
pub mod hooks;
pub mod layout;
pub mod object;
pub mod overhead;
pub mod proof;
pub mod ring;
pub mod scope;
pub mod session;
mod specialize;
pub mod tallies;
mod tracing;
