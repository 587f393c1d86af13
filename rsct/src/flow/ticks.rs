//! HZ as records need it.

use crate::kernel::hz::Hz;

/// Jiffies a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticks(pub u32);

impl Ticks {
    /// See [`Hz::left_ms`].
    pub fn left_ms(self, status: u32, timeout: u32, now: u32) -> i64 {
        Hz::new(self.0).map_or(0, |hz| hz.left_ms(status, timeout, now))
    }

    /// See [`Hz::span_ms`].
    pub fn span_ms(self, jiffies: u32) -> u64 {
        Hz::new(self.0).map_or(0, |hz| hz.span_ms(jiffies))
    }
}
