//! Which of a protocol's timeouts an entry gets, and why where it is not its state's: what nf_conntrack_tcp_packet()
//! (net/netfilter/nf_conntrack_proto_tcp.c) decides at the end of each packet, told from what the packet left behind.

use crate::flow::names::{proto::TCP, status};

use super::{Protocol, Spans, State, state_of};

/// `TCP_CONNTRACK_ESTABLISHED`.
const TCP_ESTABLISHED: u8 = 3;

// Attributes of states that shorten others: see `protocol`.
const CLOSE: u16 = 8;
const RETRANS: u16 = 10;
const UNACKNOWLEDGED: u16 = 11;

/// What the tracker knows of an entry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sight {
    /// The protocol's number.
    pub protonum: u8,
    /// Its state, for protocols with states.
    pub state: u8,
    /// `ct->status`.
    pub status: u32,
    /// What TCP's tracker keeps beside the state.
    pub tcp: TcpSigns,
}

/// What shortens a timeout of TCP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TcpSigns {
    /// Data was sent that nobody has acknowledged.
    pub unacknowledged: bool,
    /// As many segments were sent again as the namespace allows.
    pub retransmitted: bool,
    /// The last window was zero.
    pub zero_window: bool,
    /// The last packet was a RST.
    pub reset: bool,
}

/// Why an entry gets less than its state's timeout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reduction {
    /// Segments were sent again and again.
    Retransmissions,
    /// A RST was seen.
    Reset,
    /// Data was sent that nobody has acknowledged.
    Unacknowledged,
    /// One side can take nothing more.
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

    /// For people, behind a colon.
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

/// A timeout and why it is this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Governing {
    /// The state whose timeout it is.
    pub state: &'static State,
    /// Where it isn't the entry's own state's.
    pub reduction: Option<Reduction>,
}

/// Which timeout governs an entry. `spans`, where they are known, are those in force for it: the kernel shortens only
/// what is longer.
pub fn governing(sight: &Sight, spans: Option<&Spans>) -> Option<Governing> {
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

/// In the order in which nf_conntrack_tcp_packet() looks.
fn shortened(sight: &Sight, own: u16, spans: Option<&Spans>) -> Option<(u16, Reduction)> {
    let is_longer_than = |other: u16| {
        let compared = spans.and_then(|spans| Some(spans.of(own)? > spans.of(other)?));
        // Of the kernel's own timeouts this one alone is longer than those.
        compared.unwrap_or(sight.state == TCP_ESTABLISHED)
    };
    let tcp = &sight.tcp;
    if tcp.retransmitted && is_longer_than(RETRANS) {
        Some((RETRANS, Reduction::Retransmissions))
    } else if tcp.reset {
        // The state is CLOSE then, mostly; where it isn't, this is what the RST does.
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
        // What is shorter already stays.
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
    fn values_decide_where_they_are_known() {
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
