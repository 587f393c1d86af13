//! Sets of TCP, SCTP and DCCP states.

use crate::names::{self, proto};

/// Number of named states in each of the three protocols.
const STATES: u8 = 10;
/// The protocols that have states.
const PROTOCOLS: [u8; 3] = [proto::TCP, proto::SCTP, proto::DCCP];

/// A set of states; several protocols may share a state name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StateSet {
    /// A bit for each state, for each of the protocols.
    bits: [u16; PROTOCOLS.len()],
}

impl StateSet {
    /// Every state with this name, in any protocol.
    pub fn named(name: &str) -> Option<Self> {
        let mut set = Self::default();
        for (bits, protonum) in set.bits.iter_mut().zip(PROTOCOLS) {
            for state in 0..STATES {
                if names::state(protonum, state).is_some_and(|known| known.eq_ignore_ascii_case(name)) {
                    *bits |= 1 << state;
                }
            }
        }
        (set != Self::default()).then_some(set)
    }

    /// The union of two sets.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let mut set = self;
        for (bits, more) in set.bits.iter_mut().zip(other.bits) {
            *bits |= more;
        }
        set
    }

    /// All other states of the protocols that have states.
    #[must_use]
    pub fn others(self) -> Self {
        Self {
            bits: self.bits.map(|bits| !bits),
        }
    }

    /// Returns whether the set contains a protocol's state.
    pub fn contains(self, protonum: u8, state: u8) -> bool {
        let index = PROTOCOLS.iter().position(|known| *known == protonum);
        index.is_some_and(|index| state < 16 && self.bits[index] >> state & 1 == 1)
    }

    /// Returns whether the set contains any state of a protocol.
    pub fn has_any_of(self, protonum: u8) -> bool {
        (0..STATES).any(|state| self.contains(protonum, state))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_can_be_a_state_of_several_protocols() {
        let established = StateSet::named("established").unwrap();
        assert!(established.contains(proto::TCP, 3));
        assert!(established.contains(proto::SCTP, 4));
        assert!(!established.contains(proto::TCP, 4));
        assert!(!established.has_any_of(proto::DCCP));
        assert!(!established.contains(proto::UDP, 3));
        assert_eq!(StateSet::named("LISTENING"), None);
    }

    #[test]
    fn the_others_are_all_but_these() {
        let others = StateSet::named("TIME_WAIT").unwrap().others();
        assert!(!others.contains(proto::TCP, 7));
        assert!(others.contains(proto::TCP, 3));
        assert!(!others.contains(proto::TCP, 200));
        let all = others.and(StateSet::named("TIME_WAIT").unwrap());
        assert!((0..STATES).all(|state| all.contains(proto::TCP, state)));
    }
}
