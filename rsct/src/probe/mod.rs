//! Loads the programs into the kernel, and reads their records.
//!
//! [`layout`] finds the offsets that the programs read, [`enums`] checks the kernel's numbers against rsct's names,
//! [`object`] contains the programs, [`hooks`] lists the functions that they attach to, `specialize` shortens them
//! for this kernel, `attach` loads and attaches one hook and [`session`] all of them, `detach` detaches them;
//! [`ring`] reads records, [`tallies`] counts; [`overhead`] measures the cost of measuring.

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
