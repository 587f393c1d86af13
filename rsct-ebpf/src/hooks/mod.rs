//! One file per hooked function: thin fentry/fexit and kprobe/kretprobe entries over one body.
//!
//! Above each body stands the kernel's own signature that it leans on. Arguments are found by name
//! (`rsct_common::hook`), so their order may differ from kernel to kernel.

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
