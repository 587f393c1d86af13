//! Status bits of an entry.

use std::fmt;

use crate::names::status;

/// The status bits of an entry (`enum ip_conntrack_status`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Status(pub(super) u32);

impl Status {
    /// The bits.
    pub fn bits(self) -> u32 {
        self.0
    }

    /// The kernel's names of the set bits, without `IPS_`, the lowest bit first.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        status::names(self.0)
    }

    /// True if the entry is in the table.
    pub fn is_confirmed(self) -> bool {
        self.0 & status::CONFIRMED != 0
    }

    /// True if packets were seen in both directions.
    pub fn has_seen_reply(self) -> bool {
        self.0 & status::SEEN_REPLY != 0
    }

    /// True if the kernel does not evict the entry from a full table.
    pub fn is_assured(self) -> bool {
        self.0 & status::ASSURED != 0
    }

    /// True if the entry is deleted, or being deleted.
    pub fn is_dying(self) -> bool {
        self.0 & status::DYING != 0
    }
}

/// Prints the names of the set bits: `SEEN_REPLY,ASSURED,CONFIRMED`.
impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, name) in self.names().enumerate() {
            if index > 0 {
                f.write_str(",")?;
            }
            f.write_str(name)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn set_bits_are_named() {
        assert_eq!(Status(0xe).to_string(), "SEEN_REPLY,ASSURED,CONFIRMED");
        assert_eq!(Status(0).to_string(), "");
        assert!(Status(8).is_confirmed() && !Status(8).is_assured());
    }
}
