//! Information about the running kernel: types, symbols, namespaces, HZ.

pub mod bpf_map;
pub mod bpf_syscall;
pub mod btf;
pub mod clock;
pub mod conntrack;
pub mod facts;
pub mod hook_dump;
pub mod hz;
mod insn;
pub mod interfaces;
pub mod interrupt;
pub mod kprobe_misses;
pub mod limits;
pub mod netlink_sockets;
pub mod netns;
pub mod portid;
pub mod privileges;
pub mod proc;
pub mod symbols;
pub mod sysctl;
pub mod text;
pub mod trial;
