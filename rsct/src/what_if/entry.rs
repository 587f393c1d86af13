//! One simulated entry.

use crate::{flow::TupleKey, names::status, timeouts::Sight};

/// UDP becomes a stream when it has replies for longer than this (nf_conntrack_udp_packet()).
const STREAM_AFTER_NS: u64 = 2_000_000_000;

/// A difference between simulation and reality.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Incident {
    /// The entry.
    pub key: TupleKey,
    /// When, by the monotonic clock.
    pub time_ns: u64,
    /// The difference.
    pub kind: IncidentKind,
}

/// Kind of difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IncidentKind {
    /// The entry would have expired before this packet.
    CutOff {
        /// Time from the expiry to the packet.
        late_ms: u64,
    },
    /// The entry would have expired, and it has had no packet since.
    Expired {
        /// Time since the expiry.
        since_ms: u64,
    },
    /// The entry has expired, and would still exist.
    LivedOn {
        /// Time until the simulated expiry.
        left_ms: u64,
    },
}

impl Incident {
    /// Size of the difference.
    pub(crate) fn weight_ms(&self) -> u64 {
        match self.kind {
            IncidentKind::CutOff { late_ms } => late_ms,
            IncidentKind::Expired { since_ms } => since_ms,
            IncidentKind::LivedOn { left_ms } => left_ms,
        }
    }
}

/// A new simulated entry, created while the real one still exists.
#[derive(Clone, Copy, Debug)]
struct Recreated {
    at_ns: u64,
    /// True if its first packet is of the real entry's reply direction.
    by_reply: bool,
    replied: bool,
}

/// A simulated entry.
#[derive(Clone, Copy, Debug)]
pub(super) struct SimulatedEntry {
    /// Its simulated expiry.
    pub(super) expires_ns: u64,
    /// True while the real entry exists.
    pub(super) is_real: bool,
    /// True once it was in the table: a dropped packet's entry never gets there.
    pub(super) was_in_table: bool,
    /// Time of the dump that it was read from; older records change nothing.
    pub(super) seeded_ns: u64,
    /// Status bits in addition to the real entry's.
    status: u32,
    recreated: Option<Recreated>,
}

impl SimulatedEntry {
    pub(super) fn new(expires_ns: u64, seeded_ns: u64) -> Self {
        Self {
            expires_ns,
            is_real: true,
            was_in_table: seeded_ns != 0,
            seeded_ns,
            status: 0,
            recreated: None,
        }
    }

    /// Returns whether it exists in the simulation at that time.
    pub(super) fn exists(&self, now_ns: u64) -> bool {
        self.expires_ns > now_ns
    }

    /// A packet after its simulated expiry creates it anew.
    pub(super) fn recreate(&mut self, now_ns: u64, by_reply: bool) {
        self.status = 0;
        self.recreated = Some(Recreated {
            at_ns: now_ns,
            by_reply,
            replied: false,
        });
    }

    /// The real entry expired with this status. The simulated one continues with it.
    pub(super) fn outlive_real(&mut self, last_status: u32) {
        self.is_real = false;
        self.status |= last_status & (status::SEEN_REPLY | status::ASSURED);
    }

    /// The tracker's view of it in the simulation, if the real view is `sight`.
    pub(super) fn sight(&mut self, sight: &Sight, now_ns: u64, is_reply: bool) -> Sight {
        let mut seen = *sight;
        match &mut self.recreated {
            None => seen.status |= self.status,
            Some(recreated) => {
                recreated.replied |= is_reply != recreated.by_reply;
                seen.status &= !(status::SEEN_REPLY | status::ASSURED);
                if recreated.replied {
                    seen.status |= status::SEEN_REPLY;
                    if now_ns > recreated.at_ns + STREAM_AFTER_NS {
                        seen.status |= sight.status & status::ASSURED;
                    }
                }
            }
        }
        seen
    }
}
