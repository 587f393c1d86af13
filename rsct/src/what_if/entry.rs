//! One entry, as it would be.

use crate::{flow::names::status, flow::table::TupleKey, timeouts::Sight};

/// UDP becomes a stream when it is replied to for longer than this (nf_conntrack_udp_packet()).
const STREAM_AFTER_NS: u64 = 2_000_000_000;

/// Something that would have gone otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Incident {
    /// Whose entry.
    pub key: TupleKey,
    /// When, by the monotonic clock.
    pub time_ns: u64,
    /// What.
    pub fate: Fate,
}

/// What would have been otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// The entry would have gone before this packet, which was `late_ms` too late for it.
    CutOff {
        /// By how much.
        late_ms: u64,
    },
    /// The entry would have gone by now, and nothing has come for it since.
    Expired {
        /// How long ago.
        since_ms: u64,
    },
    /// The entry has really gone, and would not have.
    LivedOn {
        /// How much longer.
        left_ms: u64,
    },
}

impl Incident {
    /// How much otherwise it would have been.
    pub fn weight_ms(&self) -> u64 {
        match self.fate {
            Fate::CutOff { late_ms } => late_ms,
            Fate::Expired { since_ms } => since_ms,
            Fate::LivedOn { left_ms } => left_ms,
        }
    }
}

/// An entry that would not be the one that really is.
#[derive(Clone, Copy, Debug)]
struct Reborn {
    at_ns: u64,
    /// Whether the packet that made it went the real entry's reply direction.
    by_reply: bool,
    replied: bool,
}

/// An entry.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    /// When it would expire.
    pub(super) expires_ns: u64,
    /// Whether there really is one.
    pub(super) is_real: bool,
    /// Whether it was ever in the table: a packet that is dropped on its way leaves none.
    pub(super) was_in_table: bool,
    /// Records up to this moment are in what is known of it.
    pub(super) seeded_ns: u64,
    /// Bits of the status that it would have beside the real entry's.
    status: u32,
    reborn: Option<Reborn>,
}

impl Entry {
    pub(super) fn new(expires_ns: u64, seeded_ns: u64) -> Self {
        Self {
            expires_ns,
            is_real: true,
            was_in_table: seeded_ns != 0,
            seeded_ns,
            status: 0,
            reborn: None,
        }
    }

    /// Whether it would be there at that time.
    pub(super) fn would_be_there(&self, now_ns: u64) -> bool {
        self.expires_ns > now_ns
    }

    /// A packet comes after it would have gone, and makes a new one.
    pub(super) fn is_made_anew(&mut self, now_ns: u64, by_reply: bool) {
        self.status = 0;
        self.reborn = Some(Reborn {
            at_ns: now_ns,
            by_reply,
            replied: false,
        });
    }

    /// The real entry is gone, and had this status last: this one goes on with it.
    pub(super) fn goes_on(&mut self, last_status: u32) {
        self.is_real = false;
        self.status |= last_status & (status::SEEN_REPLY | status::ASSURED);
    }

    /// What the tracker would see of it, where it really sees `sight`.
    pub(super) fn sight(&mut self, sight: &Sight, now_ns: u64, is_reply: bool) -> Sight {
        let mut seen = *sight;
        match &mut self.reborn {
            None => seen.status |= self.status,
            Some(reborn) => {
                reborn.replied |= is_reply != reborn.by_reply;
                seen.status &= !(status::SEEN_REPLY | status::ASSURED);
                if reborn.replied {
                    seen.status |= status::SEEN_REPLY;
                    if now_ns > reborn.at_ns + STREAM_AFTER_NS {
                        seen.status |= sight.status & status::ASSURED;
                    }
                }
            }
        }
        seen
    }
}
