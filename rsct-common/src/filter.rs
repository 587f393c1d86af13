//! The filter of the programs, applied in the kernel.
//!
//! Each part is a global of its own. The verifier knows the globals' values when it loads a program, so unused tests
//! are not part of the machine code.

/// The tests of the filter; bits of the global `FILTER_TESTS`.
pub mod test {
    /// The protocol number.
    pub const PROTO: u32 = 1 << 0;
    /// The original direction's source address.
    pub const SRC: u32 = 1 << 1;
    /// The original direction's destination address.
    pub const DST: u32 = 1 << 2;
    /// Either address of the original direction, or of the reply direction.
    pub const HOST: u32 = 1 << 3;
    /// The original direction's source port.
    pub const SPORT: u32 = 1 << 4;
    /// The original direction's destination port.
    pub const DPORT: u32 = 1 << 5;
    /// Either port of the original direction, or of the reply direction.
    pub const PORT: u32 = 1 << 6;
    /// The zone.
    pub const ZONE: u32 = 1 << 7;
    /// The mark under a mask.
    pub const MARK: u32 = 1 << 8;
    /// The address family.
    pub const FAMILY: u32 = 1 << 9;
    /// The reply direction's source address.
    pub const REPLY_SRC: u32 = 1 << 10;
    /// The reply direction's destination address.
    pub const REPLY_DST: u32 = 1 << 11;
}
