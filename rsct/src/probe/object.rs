//! The eBPF objects in rsct, one for each task: each command loads only the object that it needs.

use rsct_common::{
    field::{CAUSE_FIELDS, FIELDS, Field},
    hook::{ARGUMENTS, Argument, CAUSE_ARGUMENTS},
    latency,
};

/// An object, and the fields and arguments that its programs need from the running kernel.
#[derive(Debug)]
pub(crate) struct Object {
    /// The ELF file of its maps and of all programs except fentry and fexit, built together with rsct.
    pub bytes: &'static [u8],
    /// The ELF file of its fentry and fexit programs.
    pub trampolines: &'static [u8],
    /// The fields that its programs read.
    pub fields: &'static [&'static [Field]],
    /// The arguments that they use.
    pub arguments: &'static [&'static [Argument]],
}

/// The object of `rsct trace`: packets and entries.
pub(crate) static TRACE: Object = Object {
    bytes: aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/trace")),
    trampolines: aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/trace-trampolines")),
    fields: &[FIELDS],
    arguments: &[ARGUMENTS],
};

/// The object of causes.
pub(crate) static CAUSES: Object = Object {
    bytes: aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/causes")),
    trampolines: aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/causes-trampolines")),
    fields: &[FIELDS, CAUSE_FIELDS],
    arguments: &[ARGUMENTS, CAUSE_ARGUMENTS],
};

/// The object of `rsct latency`.
pub(crate) static LATENCY: Object = Object {
    bytes: aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/latency")),
    trampolines: aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/latency-trampolines")),
    fields: &[FIELDS, latency::FIELDS],
    arguments: &[ARGUMENTS, latency::ARGUMENTS],
};
