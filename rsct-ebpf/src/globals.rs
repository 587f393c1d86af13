//! Values that the loader sets before the programs start: constants to the verifier.

use aya_ebpf::Global;
use rsct_common::{
    field::ABSENT, for_each_argument, for_each_cause_argument, for_each_cause_field, for_each_kernel_field,
    hook::NO_ARGUMENT,
};

macro_rules! offsets {
    ($($global:ident: $of:literal $path:literal $bytes:literal $need:ident;)*) => {
        $(
            #[unsafe(no_mangle)]
            pub static $global: Global<u64> = Global::new(ABSENT);
        )*
    };
}

for_each_kernel_field!(offsets);
for_each_cause_field!(offsets);

/// Offset in `struct nf_ct_ext` of the timeout extension's offset: `rsct_common::field::EXT_TIMEOUT`.
#[unsafe(no_mangle)]
pub static EXT_TIMEOUT: Global<u64> = Global::new(ABSENT);

/// The bytes by which the stack pointer that a program sees at a function's return is below that of the caller. The loader
/// measures them; 0 with kretprobes.
#[unsafe(no_mangle)]
pub static RETURN_DEPTH: Global<u64> = Global::new(0);

/// `rsct_common::cast::NF_CONN_TYPE`.
#[unsafe(no_mangle)]
pub static NF_CONN_TYPE: Global<u64> = Global::new(0);
/// `rsct_common::cast::SK_BUFF_TYPE`.
#[unsafe(no_mangle)]
pub static SK_BUFF_TYPE: Global<u64> = Global::new(0);
/// `rsct_common::cast::HOOK_STATE_TYPE`.
#[unsafe(no_mangle)]
pub static HOOK_STATE_TYPE: Global<u64> = Global::new(0);

/// Positions of arguments.
pub mod arg {
    use super::*;

    macro_rules! positions {
        ($($global:ident: $function:literal $name:literal;)*) => {
            $(
                #[unsafe(export_name = concat!("ARG_", stringify!($global)))]
                pub static $global: Global<u64> = Global::new(NO_ARGUMENT);
            )*
        };
    }

    for_each_argument!(positions);
    for_each_cause_argument!(positions);
}

/// Bits of [`rsct_common::filter::test`].
#[unsafe(no_mangle)]
pub static FILTER_TESTS: Global<u32> = Global::new(0);
#[unsafe(no_mangle)]
pub static FILTER_PROTO: Global<u32> = Global::new(0);
#[unsafe(no_mangle)]
pub static FILTER_FAMILY: Global<u32> = Global::new(0);
/// Ports in network order, as the tuple holds them.
#[unsafe(no_mangle)]
pub static FILTER_SPORT: Global<u32> = Global::new(0);
#[unsafe(no_mangle)]
pub static FILTER_DPORT: Global<u32> = Global::new(0);
#[unsafe(no_mangle)]
pub static FILTER_PORT: Global<u32> = Global::new(0);
#[unsafe(no_mangle)]
pub static FILTER_ZONE: Global<u32> = Global::new(0);
#[unsafe(no_mangle)]
pub static FILTER_MARK: Global<u32> = Global::new(0);
#[unsafe(no_mangle)]
pub static FILTER_MARK_MASK: Global<u32> = Global::new(0);

/// An address and its mask, in two words each, as the tuple holds them.
macro_rules! network {
    ($($low:ident $high:ident $low_mask:ident $high_mask:ident;)*) => {
        $(
            #[unsafe(no_mangle)]
            pub static $low: Global<u64> = Global::new(0);
            #[unsafe(no_mangle)]
            pub static $high: Global<u64> = Global::new(0);
            #[unsafe(no_mangle)]
            pub static $low_mask: Global<u64> = Global::new(0);
            #[unsafe(no_mangle)]
            pub static $high_mask: Global<u64> = Global::new(0);
        )*
    };
}

network! {
    FILTER_SRC_LOW FILTER_SRC_HIGH FILTER_SRC_LOW_MASK FILTER_SRC_HIGH_MASK;
    FILTER_DST_LOW FILTER_DST_HIGH FILTER_DST_LOW_MASK FILTER_DST_HIGH_MASK;
    FILTER_HOST_LOW FILTER_HOST_HIGH FILTER_HOST_LOW_MASK FILTER_HOST_HIGH_MASK;
    FILTER_REPLY_SRC_LOW FILTER_REPLY_SRC_HIGH FILTER_REPLY_SRC_LOW_MASK FILTER_REPLY_SRC_HIGH_MASK;
    FILTER_REPLY_DST_LOW FILTER_REPLY_DST_HIGH FILTER_REPLY_DST_LOW_MASK FILTER_REPLY_DST_HIGH_MASK;
}

/// The one namespace traced, or zero for all.
#[unsafe(no_mangle)]
pub static NETNS: Global<u32> = Global::new(0);
