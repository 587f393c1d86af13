//! The eBPF objects that this program carries, one for each thing that may be asked for: whoever starts one pays for what
//! it needs and no more.

use rsct_common::{
    field::{CAUSE_FIELDS, FIELDS, Field},
    hook::{ARGUMENTS, Argument, CAUSE_ARGUMENTS},
    latency,
};

/// An object, and what its programs have to be told of the running kernel.
#[derive(Debug)]
pub struct Object {
    /// The ELF file of its maps and of all programs but fentry and fexit, built with this program.
    pub bytes: &'static [u8],
    /// The ELF file of its fentry and fexit programs.
    pub trampolines: &'static [u8],
    /// The fields that its programs read.
    pub fields: &'static [&'static [Field]],
    /// The arguments that they use.
    pub arguments: &'static [&'static [Argument]],
}

/// The story of every packet and every entry.
pub static TRACE: Object = Object {
    bytes: aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/trace")),
    trampolines: aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/trace-trampolines")),
    fields: &[FIELDS],
    arguments: &[ARGUMENTS],
};

/// Why things happen.
pub static CAUSES: Object = Object {
    bytes: aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/causes")),
    trampolines: aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/causes-trampolines")),
    fields: &[FIELDS, CAUSE_FIELDS],
    arguments: &[ARGUMENTS, CAUSE_ARGUMENTS],
};

/// How long conntrack takes.
pub static LATENCY: Object = Object {
    bytes: aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/latency")),
    trampolines: aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/latency-trampolines")),
    fields: &[FIELDS, latency::FIELDS],
    arguments: &[ARGUMENTS, latency::ARGUMENTS],
};
