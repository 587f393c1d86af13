//! The timeout that governs an entry, and the cause if it is not its state's: the decision of nf_conntrack_tcp_packet()
//! (net/netfilter/nf_conntrack_proto_tcp.c) at the end of each packet, made again from the entry as the packet left it.

use crate::names::{proto::TCP, status};

use super::{Protocol, Spans, State, state_of};

/// `TCP_CONNTRACK_ESTABLISHED`.
const TCP_ESTABLISHED: u8 = 3;

// Attributes of states that shorten others: see `protocol`.
const CLOSE: u16 = 8;
const RETRANS: u16 = 10;
const UNACKNOWLEDGED: u16 = 11;

/// The tracker's view of an entry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sight {
    /// The protocol's number.
    pub protonum: u8,
    /// Its state, for protocols with states.
    pub state: u8,
    /// `ct->status`.
    pub status: u32,
    /// Further state of TCP's tracker.
    pub tcp: TcpSigns,
}

/// Conditions that shorten a timeout of TCP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct TcpSigns {
    /// Sent data is not acknowledged yet.
    pub unacknowledged: bool,
    /// As many segments were retransmitted as the namespace allows.
    pub retransmitted: bool,
    /// The last window was zero.
    pub zero_window: bool,
    /// The last packet was a RST.
    pub reset: bool,
}

/// Why an entry has less than its state's timeout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reduction {
    /// Too many segments were retransmitted.
    Retransmissions,
    /// A RST was seen.
    Reset,
    /// Sent data is not acknowledged yet.
    Unacknowledged,
    /// One side's window is zero.
    ZeroWindow,
    /// The connection was picked up in its middle, and no reply was seen yet.
    PickedUp,
}

impl Reduction {
    /// The name in output and documentation.
    pub fn name(self) -> &'static str {
        match self {
            Self::Retransmissions => "retransmissions",
            Self::Reset => "reset",
            Self::Unacknowledged => "unacknowledged",
            Self::ZeroWindow => "zero_window",
            Self::PickedUp => "picked_up",
        }
    }

    /// For people, to follow a colon.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Retransmissions => "sent again too often",
            Self::Reset => "a RST was seen",
            Self::Unacknowledged => "data unacknowledged",
            Self::ZeroWindow => "the window is zero",
            Self::PickedUp => "picked up in its middle",
        }
    }
}

/// The timeout that governs an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Governing {
    /// The state whose timeout it is.
    pub state: &'static State,
    /// Why it is not the entry's own state's, if it is not.
    pub reduction: Option<Reduction>,
}

/// The timeout that governs an entry. `spans` are the timeouts in force for it, if they are known: the kernel replaces only
/// a longer timeout by a reduction.
pub(crate) fn governing(sight: &Sight, spans: Option<&Spans>) -> Option<Governing> {
    let own = state_of(sight.protonum, Some(sight.state), sight.status)?;
    if sight.protonum == TCP
        && let Some((attribute, reduction)) = shortened(sight, own.attribute, spans)
    {
        let state = Protocol::of_number(TCP).state_of_attribute(attribute)?;
        return Some(Governing {
            state,
            reduction: Some(reduction),
        });
    }
    Some(Governing {
        state: own,
        reduction: None,
    })
}

/// The reduction that applies, in the order of nf_conntrack_tcp_packet().
fn shortened(sight: &Sight, own: u16, spans: Option<&Spans>) -> Option<(u16, Reduction)> {
    let is_longer_than = |other: u16| {
        let compared = spans.and_then(|spans| Some(spans.of(own)? > spans.of(other)?));
        // Of the built-in defaults this one alone is longer than the reductions.
        compared.unwrap_or(sight.state == TCP_ESTABLISHED)
    };
    let tcp = &sight.tcp;
    if tcp.retransmitted && is_longer_than(RETRANS) {
        Some((RETRANS, Reduction::Retransmissions))
    } else if tcp.reset {
        // Mostly the state is CLOSE by then; if not, the RST still sets CLOSE's timeout.
        (own != CLOSE).then_some((CLOSE, Reduction::Reset))
    } else if tcp.unacknowledged && is_longer_than(UNACKNOWLEDGED) {
        Some((UNACKNOWLEDGED, Reduction::Unacknowledged))
    } else if tcp.zero_window && is_longer_than(RETRANS) {
        Some((RETRANS, Reduction::ZeroWindow))
    } else if sight.state == TCP_ESTABLISHED
        && sight.status & status::SEEN_REPLY == 0
        && is_longer_than(UNACKNOWLEDGED)
    {
        Some((UNACKNOWLEDGED, Reduction::PickedUp))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(protonum: u8, state: u8, status: u32, tcp: TcpSigns) -> (&'static str, Option<Reduction>) {
        let sight = Sight {
            protonum,
            state,
            status,
            tcp,
        };
        let found = governing(&sight, None).expect("each has one");
        (found.state.name, found.reduction)
    }

    #[test]
    fn tcp_is_shortened_as_the_kernel_shortens_it() {
        let signs = TcpSigns::default();
        let replied = status::SEEN_REPLY;
        assert_eq!(of(TCP, 3, replied, signs), ("established", None));
        let waiting = TcpSigns {
            unacknowledged: true,
            ..signs
        };
        assert_eq!(
            of(TCP, 3, replied, waiting),
            ("unacknowledged", Some(Reduction::Unacknowledged))
        );
        // A shorter timeout is kept.
        assert_eq!(of(TCP, 7, replied, waiting), ("time_wait", None));
        let again = TcpSigns {
            retransmitted: true,
            zero_window: true,
            ..waiting
        };
        assert_eq!(
            of(TCP, 3, replied, again),
            ("retrans", Some(Reduction::Retransmissions))
        );
        assert_eq!(
            of(TCP, 3, 0, signs),
            ("unacknowledged", Some(Reduction::PickedUp))
        );
        let reset = TcpSigns { reset: true, ..signs };
        assert_eq!(of(TCP, 8, replied, reset), ("close", None));
    }

    #[test]
    fn known_values_decide() {
        let sight = Sight {
            protonum: TCP,
            state: 3,
            status: status::SEEN_REPLY,
            tcp: TcpSigns {
                unacknowledged: true,
                ..TcpSigns::default()
            },
        };
        let short = Spans::new([(3, 100_000), (11, 300_000)]);
        let found = governing(&sight, Some(&short)).expect("it has one");
        assert_eq!((found.state.name, found.reduction), ("established", None));
    }
}
