//! A protocol's timeouts by their states, in milliseconds: the kernel keeps them in jiffies.

use serde::{Deserialize, Serialize};

use crate::names::proto::{DCCP, SCTP, TCP};

use super::Protocol;

/// One protocol's timeouts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Spans(Vec<(u16, u64)>);

impl Spans {
    /// From states' attributes and milliseconds.
    pub(crate) fn new(spans: impl IntoIterator<Item = (u16, u64)>) -> Self {
        Self(spans.into_iter().collect())
    }

    /// From the array of a protocol's tracker in the kernel, in its order, in jiffies of which `hz` make a second.
    pub(crate) fn from_jiffies(protocol: &Protocol, jiffies: &[u32], hz: u32) -> Self {
        let attributes = (0..).map(|index| attribute(protocol.number, index));
        let spans = attributes.zip(jiffies).filter_map(|(attribute, jiffies)| {
            let state = protocol.state_of_attribute(attribute?)?;
            Some((state.attribute, u64::from(*jiffies) * 1000 / u64::from(hz)))
        });
        Self::new(spans)
    }

    /// The milliseconds of the state with this attribute.
    pub(crate) fn of(&self, attribute: u16) -> Option<u64> {
        let is_it = |(kind, _): &&(u16, u64)| *kind == attribute;
        self.0.iter().find(is_it).map(|(_, ms)| *ms)
    }

    /// Every state's attribute and milliseconds.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u16, u64)> + '_ {
        self.0.iter().copied()
    }
}

/// The attribute of the tracker's value with this index. Values are indexed by state (`enum tcp_conntrack`, with a gap of
/// two before the last two), or from zero for protocols without states.
fn attribute(protonum: u8, index: u16) -> Option<u16> {
    match protonum {
        TCP => match index {
            1..=9 => Some(index),
            12 | 13 => Some(index - 2),
            _ => None,
        },
        SCTP | DCCP => (index != 0).then_some(index),
        _ => Some(index + 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_trackers_order_becomes_the_attributes() {
        let tcp = Protocol::named("tcp").expect("there is tcp");
        let jiffies: Vec<u32> = (0..14).map(|index| index * 250).collect();
        let spans = Spans::from_jiffies(tcp, &jiffies, 250);
        assert_eq!(spans.of(3), Some(3000));
        assert_eq!(spans.of(9), Some(9000));
        assert_eq!(spans.of(10), Some(12_000));
        assert_eq!(spans.of(11), Some(13_000));
        let udp = Protocol::named("udp").expect("there is udp");
        let spans = Spans::from_jiffies(udp, &[100, 200, 300], 100);
        assert_eq!(spans, Spans::new([(1, 1000), (2, 2000)]));
    }
}
