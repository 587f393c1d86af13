//! The timeout that an entry was last set to, as far as the entry itself shows it.

use super::{GENERIC, Protocol, State};
use crate::names::{
    proto::{DCCP, GRE, SCTP, TCP, UDP, UDPLITE},
    status,
};

/// The state whose timeout governs an entry of this protocol: its own state (`ProtoInfo::state`), or `replied` and
/// `unreplied` for protocols without states. `None` if the entry's state has no timeout of its own.
///
/// TCP's reductions (`retrans`, `unacknowledged`) leave no trace in an entry, so they govern none here.
pub(crate) fn state_of(protonum: u8, state: Option<u8>, status: u32) -> Option<&'static State> {
    let protocol = Protocol::of_number(protonum);
    match (protonum, state) {
        // The states' attributes have the numbers of the kernel's enums. 0, NONE, has the timeout of the first
        // (`timeouts[CTA_TIMEOUT_TCP_UNSPEC]` in net/netfilter/nf_conntrack_proto_tcp.c, and the like in the others).
        (TCP | SCTP | DCCP, Some(state)) => {
            let attribute = u16::from(state.max(1));
            protocol
                .state_of_attribute(attribute)
                .filter(|state| !is_reduction(protonum, state))
        }
        // Without a state the kernel has no handler for the protocol.
        (TCP | SCTP | DCCP, None) => generic(),
        // nf_conntrack_udp_packet() switches to the second timeout when it sets ASSURED, two seconds after the first packet.
        (UDP, _) => replied(protocol, status & status::ASSURED != 0),
        (UDPLITE | GRE, _) => replied(protocol, status & status::SEEN_REPLY != 0),
        _ => protocol.states.first(),
    }
}

/// The timeout of every protocol without a handler.
pub(super) fn generic() -> Option<&'static State> {
    Protocol::of_number(GENERIC).states.first()
}

/// Returns whether a state is a reduction: no entry is in it, and its timeout replaces the entry's own state's if it is
/// shorter.
pub(crate) fn is_reduction(protonum: u8, state: &State) -> bool {
    protonum == TCP && matches!(state.name, "retrans" | "unacknowledged")
}

fn replied(protocol: &'static Protocol, replied: bool) -> Option<&'static State> {
    protocol.state(if replied { "replied" } else { "unreplied" })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{names, timeouts::PROTOCOLS};

    fn name(protonum: u8, state: Option<u8>, status: u32) -> Option<&'static str> {
        state_of(protonum, state, status).map(|state| state.name)
    }

    #[test]
    fn states_have_the_kernels_names() {
        for protonum in [TCP, SCTP, DCCP] {
            for state in 1..10 {
                let kernels = names::state(protonum, state).unwrap_or_default();
                match name(protonum, Some(state), 0) {
                    Some(ours) => assert!(ours.eq_ignore_ascii_case(kernels), "{ours} is {kernels}"),
                    None => assert!(
                        ["IGNORE", "INVALID", "HEARTBEAT_ACKED"].contains(&kernels),
                        "{kernels}"
                    ),
                }
            }
        }
        assert_eq!(name(TCP, Some(0), 0), Some("syn_sent"));
        assert_eq!(name(TCP, Some(10), 0), None);
    }

    #[test]
    fn replies_count_where_there_are_no_states() {
        use status::{ASSURED, SEEN_REPLY};
        assert_eq!(name(UDP, None, 0), Some("unreplied"));
        assert_eq!(name(UDP, None, SEEN_REPLY), Some("unreplied"));
        assert_eq!(name(UDP, None, SEEN_REPLY | ASSURED), Some("replied"));
        assert_eq!(name(GRE, None, SEEN_REPLY), Some("replied"));
        assert_eq!(name(UDPLITE, None, 0), Some("unreplied"));
        assert_eq!(name(1, None, 0), Some("timeout"));
        assert!(std::ptr::eq(state_of(50, None, 0).unwrap(), generic().unwrap()));
        assert!(std::ptr::eq(state_of(DCCP, None, 0).unwrap(), generic().unwrap()));
    }

    proptest! {
        #[test]
        fn a_state_is_one_of_its_protocols(protonum: u8, state: Option<u8>, status: u32) {
            if let Some(state) = state_of(protonum, state, status) {
                let known = PROTOCOLS.iter().any(|protocol| protocol.states.contains(state));
                prop_assert!(known);
                prop_assert!(!is_reduction(protonum, state));
            }
        }
    }
}
