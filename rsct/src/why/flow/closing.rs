//! Verdict on a flow: its name, meaning and advice.

use crate::{
    flow::{delete_kind::DeleteKind, outcome::Outcome},
    names::status,
    why::unreplied::{Role, Seen},
};

/// Verdict on a flow at the end of the watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Closing {
    /// It is in the table, with packets in both directions.
    Alive,
    /// It is in the table and in a flowtable: its packets bypass conntrack.
    Offloaded(Offload),
    /// It is in the table, and no reply has been seen.
    Unreplied,
    /// It was deleted.
    Deleted(DeleteKind),
    /// Its timeout has expired, so no listing contains it; it is not reaped yet.
    RanOut,
    /// It was in the table, is not any more, and no record reported its deletion.
    Gone,
    /// Its packets created entries that were never inserted into the table.
    NotConfirmed,
    /// Conntrack found its packets INVALID.
    Invalid,
    /// A rule exempted its packets from tracking.
    Untracked,
    /// Conntrack dropped its packets.
    Dropped,
    /// Its entry or its packets are in a namespace that was not selected, or in another zone.
    Elsewhere,
    /// No entry and no packet of it.
    NeverSeen,
}

impl Closing {
    /// The name in output and documentation.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Alive => "alive",
            Self::Offloaded(_) => "offloaded",
            Self::Unreplied => "unreplied",
            Self::Deleted(_) => "deleted",
            Self::RanOut => "ran_out",
            Self::Gone => "gone",
            Self::NotConfirmed => "not_confirmed",
            Self::Invalid => "invalid",
            Self::Untracked => "untracked",
            Self::Dropped => "dropped",
            Self::Elsewhere => "elsewhere",
            Self::NeverSeen => "never_seen",
        }
    }

    /// Its meaning, as a sentence without its full stop.
    pub(crate) fn meaning(self) -> &'static str {
        match self {
            Self::Alive => "it is in the table, and both directions have been seen",
            Self::Offloaded(Offload::Software) => {
                "it is in the table with the status OFFLOAD: a flowtable forwards its packets in software before they \
                 reach conntrack, so rsct sees none of them, and its timeout and state do not change"
            }
            Self::Offloaded(Offload::Hardware) => {
                "it is in the table with the status HW_OFFLOAD: a network device forwards its packets, so they bypass \
                 conntrack and the CPU, rsct sees none of them, and its timeout and state do not change"
            }
            Self::Unreplied => "it is in the table, and no reply has been seen",
            Self::Deleted(DeleteKind::Expired) => "its entry was deleted: its timeout had expired",
            Self::Deleted(DeleteKind::Netlink) => "its entry was deleted over netlink",
            Self::Deleted(_) => "its entry was deleted before its timeout expired",
            Self::RanOut => {
                "its entry was in the table, and its timeout has expired; garbage collection has not removed it yet"
            }
            Self::Gone => {
                "its entry was in the table and is not any more, and no record reported its deletion"
            }
            Self::NotConfirmed => {
                "its packets created entries that were never inserted into the table: the packets were dropped before \
                 they left this machine or reached a socket"
            }
            Self::Invalid => "conntrack found its packets INVALID and created no entry",
            Self::Untracked => "a rule exempts its packets from tracking",
            Self::Dropped => "conntrack dropped its packets",
            Self::Elsewhere => {
                "the selected tables have no such entry, but it or its packets are in another namespace or zone"
            }
            Self::NeverSeen => "no table has such an entry, and no packet of it arrived during the watch",
        }
    }

    /// Advice, unless it depends on more than the verdict.
    pub(crate) fn advice(self) -> Option<&'static str> {
        Some(match self {
            Self::Alive | Self::Unreplied | Self::Deleted(DeleteKind::Netlink) => return None,
            Self::Offloaded(_) => {
                "`nft list flowtables` lists the flowtables of nftables, `tc filter show` those of act_ct; to see the \
                 packets here, remove the rule that adds the flow (`flow add`, `action ct`)"
            }
            Self::RanOut | Self::Deleted(DeleteKind::Expired) => {
                "if it expired too early: `rsct timeout why` names the source of its timeout, and `rsct timeout what-if` \
                 simulates another one"
            }
            Self::Deleted(_) => "`rsct why delete` with its addresses names the caller",
            Self::Gone => "run the command again; if records were lost, with a filter",
            Self::NotConfirmed => {
                "look at the rules of the hooks after conntrack, at routing and at rp_filter"
            }
            Self::Invalid => "`rsct why invalid` prints the kernel's reason",
            Self::Untracked => "look in the raw table for NOTRACK, `CT --notrack` or nftables' `notrack`",
            Self::Dropped => "check whether the table is full: `rsct why full`",
            Self::Elsewhere => "select its namespace with --netns and its zone with zone=",
            Self::NeverSeen => {
                "check whether the packets arrive at all (tcpdump), and whether a rule enables conntrack in this \
                 namespace (`rsct doctor`)"
            }
        })
    }
}

/// The component that forwards an offloaded flow's packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Offload {
    /// The kernel's flowtable (`IPS_OFFLOAD`).
    Software,
    /// A network device (`IPS_HW_OFFLOAD`).
    Hardware,
}

impl Offload {
    /// Reads the status bits. A flow offloaded to a device has both.
    fn of(bits: u32) -> Option<Self> {
        if bits & status::HW_OFFLOAD != 0 {
            Some(Self::Hardware)
        } else if bits & status::OFFLOAD != 0 {
            Some(Self::Software)
        } else {
            None
        }
    }

    /// The name in output and documentation.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Software => "software",
            Self::Hardware => "hardware",
        }
    }
}

/// The facts about one entry, or about a flow that has none.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct FlowFacts {
    /// Its status bits, if it is in a selected table.
    pub status: Option<u32>,
    /// True if it was in the table when the watch began.
    pub was_there: bool,
    /// True if its timeout has expired, unless a packet has refreshed it since.
    pub ran_out: bool,
    /// Kind of its last delete.
    pub deleted: Option<DeleteKind>,
    /// True if it is in another table, or in another zone.
    pub elsewhere: bool,
}

impl FlowFacts {
    /// The verdict. `seen`: the packets in the selected namespaces; `seen_elsewhere`: there are others.
    pub(crate) fn closing(&self, seen: &[Seen], seen_elsewhere: bool) -> Closing {
        if let Some(bits) = self.status {
            if let Some(offload) = Offload::of(bits) {
                return Closing::Offloaded(offload);
            }
            return if bits & status::SEEN_REPLY == 0 {
                Closing::Unreplied
            } else {
                Closing::Alive
            };
        }
        if let Some(kind) = self.deleted {
            return Closing::Deleted(kind);
        }
        if self.was_there {
            let refreshed = |seen: &Seen| {
                matches!(seen.role, Role::Request | Role::Reply) && seen.group.outcome == Outcome::Tracked
            };
            return if self.ran_out && !seen.iter().any(refreshed) {
                Closing::RanOut
            } else {
                Closing::Gone
            };
        }
        let most = |outcome: Outcome| {
            seen.iter()
                .filter(|seen| seen.group.outcome == outcome)
                .map(|seen| seen.times.packets)
                .sum::<u64>()
        };
        let outcomes = [
            (Outcome::Created, Closing::NotConfirmed),
            (Outcome::Invalid, Closing::Invalid),
            (Outcome::Untracked, Closing::Untracked),
            (Outcome::Dropped, Closing::Dropped),
        ];
        let counted = outcomes.map(|(outcome, closing)| (most(outcome), closing));
        let (packets, closing) = counted
            .into_iter()
            .rev()
            .max_by_key(|(packets, _)| *packets)
            .unwrap_or((0, Closing::NeverSeen));
        if packets != 0 {
            closing
        } else if self.elsewhere || seen_elsewhere {
            Closing::Elsewhere
        } else {
            Closing::NeverSeen
        }
    }
}

#[cfg(test)]
mod tests {
    use rsct_common::Tuple;

    use super::*;
    use crate::{
        flow::HookPoint,
        why::sightings::{PacketDirection, PacketGroup, Times},
    };

    fn seen(outcome: Outcome, packets: u64) -> Seen {
        Seen {
            role: Role::Request,
            group: PacketGroup {
                error: None,
                place: HookPoint {
                    netns: 1,
                    hook: 0,
                    ifindex: 2,
                },
                outcome,
                direction: PacketDirection::NoEntry,
                zone: 0,
                flow: 0,
                headers: Tuple::default(),
            },
            times: Times {
                packets,
                first_ns: 1,
                last_ns: 2,
            },
        }
    }

    #[test]
    fn an_entry_in_the_table_is_alive_or_unreplied() {
        for (status, closing) in [
            (status::CONFIRMED, Closing::Unreplied),
            (status::CONFIRMED | status::SEEN_REPLY, Closing::Alive),
            (
                status::CONFIRMED | status::SEEN_REPLY | status::OFFLOAD,
                Closing::Offloaded(Offload::Software),
            ),
            (
                status::CONFIRMED | status::SEEN_REPLY | status::OFFLOAD | status::HW_OFFLOAD,
                Closing::Offloaded(Offload::Hardware),
            ),
        ] {
            let known = FlowFacts {
                status: Some(status),
                // An earlier entry with its tuple was deleted.
                deleted: Some(DeleteKind::Early),
                was_there: true,
                ran_out: true,
                elsewhere: true,
            };
            assert_eq!(known.closing(&[seen(Outcome::Invalid, 7)], true), closing);
        }
    }

    #[test]
    fn a_missing_entry_was_deleted_or_has_expired() {
        let known = FlowFacts {
            was_there: true,
            ..FlowFacts::default()
        };
        assert_eq!(known.closing(&[], false), Closing::Gone);
        let late = FlowFacts {
            ran_out: true,
            ..known
        };
        assert_eq!(late.closing(&[], false), Closing::RanOut);
        // A packet extended its timeout by an unknown time.
        assert_eq!(late.closing(&[seen(Outcome::Tracked, 1)], false), Closing::Gone);
        let deleted = FlowFacts {
            deleted: Some(DeleteKind::Expired),
            ..known
        };
        assert_eq!(deleted.closing(&[], false), Closing::Deleted(DeleteKind::Expired));
    }

    #[test]
    fn packets_without_an_entry_decide_the_verdict() {
        let known = FlowFacts::default();
        for (seen, closing) in [
            (vec![], Closing::NeverSeen),
            (vec![seen(Outcome::Invalid, 1)], Closing::Invalid),
            (
                vec![seen(Outcome::Invalid, 1), seen(Outcome::Untracked, 2)],
                Closing::Untracked,
            ),
            (
                vec![seen(Outcome::Created, 1), seen(Outcome::Dropped, 1)],
                Closing::NotConfirmed,
            ),
            (vec![seen(Outcome::Dropped, 1)], Closing::Dropped),
        ] {
            assert_eq!(known.closing(&seen, false), closing);
        }
        assert_eq!(known.closing(&[], true), Closing::Elsewhere);
        let other_zone = FlowFacts {
            elsewhere: true,
            ..known
        };
        assert_eq!(other_zone.closing(&[], false), Closing::Elsewhere);
    }
}
