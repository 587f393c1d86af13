//! One file per hooked function: thin fentry/fexit and kprobe/kretprobe entries over one body.
//!
//! The kernel's signature stands above each body. The loader finds arguments by name (`rsct_common::hook`), so their
//! order may differ between kernels.

mod alloc;
mod change_timeout;
mod check_insert;
mod confirm;
mod conntrack_in;
mod delete;
mod destroy;
mod entry;
mod fill_info;
mod hash_insert;
mod icmp_error;
mod l4;
mod refresh;
mod untimeout;
