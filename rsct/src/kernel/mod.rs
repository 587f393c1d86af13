//! Information about the running kernel: types, symbols, namespaces, HZ.

pub(crate) mod bpf_map;
pub(crate) mod bpf_syscall;
pub(crate) mod btf;
pub(crate) mod clock;
pub(crate) mod conntrack;
pub(crate) mod facts;
pub(crate) mod helper;
pub(crate) mod hook_dump;
pub(crate) mod hz;
mod insn;
pub(crate) mod interfaces;
pub(crate) mod interrupt;
pub(crate) mod kprobe_misses;
pub(crate) mod kprobe_multi;
pub(crate) mod limits;
pub(crate) mod netlink_sockets;
pub(crate) mod netns;
pub(crate) mod portid;
pub(crate) mod privileges;
pub(crate) mod proc;
pub(crate) mod symbols;
pub(crate) mod sysctl;
pub(crate) mod text;
pub(crate) mod threads;
pub(crate) mod trial;
