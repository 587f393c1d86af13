//! The layout of the trace's lines.

use rsct_common::{Tuple, TupleWords};

use crate::{
    kernel::{hz::Hz, interfaces::Names},
    names,
    render::{bytes, color::Palette, words},
};

/// Layout of the lines.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Style {
    /// All columns, full wording, and both relative and absolute TCP numbers.
    pub wide: bool,
    /// Absolute TCP numbers only.
    pub absolute: bool,
}

/// Everything that shapes a line besides the observation.
#[derive(Clone, Debug)]
pub(crate) struct Look {
    /// Jiffies a second.
    pub ticks: Hz,
    /// Monotonic time that is printed as zero. It is negative, as a wrapped number, if a host started after others.
    pub start_ns: u64,
    /// True if each line names its network namespace.
    pub show_netns: bool,
    /// The layout.
    pub style: Style,
    /// Colours, or none.
    pub palette: Palette,
    /// Names of interfaces.
    pub names: Names,
}

impl Look {
    /// The time since the printed zero.
    pub(in crate::render) fn since_start_ns(&self, time_ns: u64) -> u64 {
        let since_ns = time_ns.wrapping_sub(self.start_ns).cast_signed();
        since_ns.max(0).cast_unsigned()
    }

    pub(super) fn left(&self, out: &mut Vec<u8>, bits: u32, timeout: u32, now: u32) {
        words::milliseconds(out, self.ticks.left_ms(bits, timeout, now));
    }

    /// ` ESTABLISHED`, for protocols with states.
    pub(super) fn state(&self, out: &mut Vec<u8>, tuple: TupleWords, state: u8) {
        if let Some(name) = names::state(Tuple::from_words(tuple).protonum, state) {
            out.push(b' ');
            bytes::short(out, name.as_bytes());
        }
    }
}
