//! Loads the programs into the kernel, and reads their records.
//!
//! [`layout`] finds the offsets that the programs read, [`enums`] checks the kernel's numbers against rsct's names,
//! [`object`] contains the programs, [`hooks`] lists the functions that they attach to, `specialize` shortens them
//! for this kernel, `attach` loads and attaches one hook and [`session`] all of them, `multi` attaches
//! kprobes for ordinary users, `detach` detaches them;
//! [`ring`] reads records, [`tallies`] counts; [`overhead`] measures the cost of measuring.

mod attach;
mod cast;
pub(crate) mod cause_hooks;
pub(crate) mod detach;
mod diagnostics;
pub(crate) mod enums;
pub(crate) mod hooks;
pub(crate) mod layout;
mod multi;
pub(crate) mod object;
pub(crate) mod overhead;
pub(crate) mod proof;
pub(crate) mod ring;
pub(crate) mod scope;
pub(crate) mod session;
mod specialize;
pub(crate) mod tallies;
mod tracing;
