//! What became of a flow, in a word, a sentence and what to do about it.

use crate::{
    flow::{cause::DeleteKind, names::status, observation::Outcome},
    why::unreplied::{Role, Seen},
};

/// What became of a flow by the end of the watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closing {
    /// It is in the table, and both directions have been seen.
    Alive,
    /// It is in the table and in a flowtable: its packets bypass conntrack.
    Offloaded(Offload),
    /// It is in the table, and no reply has been seen.
    Unreplied,
    /// It was deleted.
    Deleted(DeleteKind),
    /// It was in the table, and its time is over: it is in no listing any more, and nothing has reaped it yet.
    RanOut,
    /// It was in the table, is not any more, and nothing told of its end.
    Gone,
    /// Packets made entries that never got into the table.
    NotConfirmed,
    /// Packets came, and conntrack called them INVALID.
    Invalid,
    /// Packets came, and a rule says not to track them.
    Untracked,
    /// Packets came, and conntrack dropped them.
    Dropped,
    /// It is or passes in namespaces that were not asked about, or in another zone.
    Elsewhere,
    /// Nothing was seen of it.
    NeverSeen,
}

impl Closing {
    /// The name in output and documentation.
    pub fn name(self) -> &'static str {
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

    /// What it means, as a sentence without its full stop.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Alive => "it is in the table, and both directions have been seen",
            Self::Offloaded(Offload::Software) => {
                "it is in the table with the status OFFLOAD: a flowtable forwards its packets in software before they \
                 get to conntrack, so none are met here, and its timeout and state stand still"
            }
            Self::Offloaded(Offload::Hardware) => {
                "it is in the table with the status HW_OFFLOAD: a network device forwards its packets, so they bypass \
                 conntrack and the CPU, none are met here, and its timeout and state stand still"
            }
            Self::Unreplied => "it is in the table, and no reply has been seen",
            Self::Deleted(DeleteKind::Expired) => "its entry was deleted: its timeout was over",
            Self::Deleted(DeleteKind::Netlink) => "its entry was deleted over netlink",
            Self::Deleted(_) => "its entry was deleted before its timeout was over",
            Self::RanOut => {
                "its entry was in the table, and its timeout is over; garbage collection has yet to take it out"
            }
            Self::Gone => "its entry was in the table and is gone, and no record told of its end",
            Self::NotConfirmed => {
                "packets came and got entries that never came into the table: the packets were dropped before they \
                 left or reached a socket"
            }
            Self::Invalid => "packets came, and conntrack called them INVALID and made no entry",
            Self::Untracked => "packets came, and a rule says not to track them",
            Self::Dropped => "packets came, and conntrack dropped them",
            Self::Elsewhere => "the table that was asked about has no such entry, but it is met elsewhere",
            Self::NeverSeen => "no table has such an entry, and no packet of it was met while it was watched",
        }
    }

    /// What to do about it, where that is not said with more of the flow.
    pub fn advice(self) -> Option<&'static str> {
        Some(match self {
            Self::Alive | Self::Unreplied | Self::Deleted(DeleteKind::Netlink) => return None,
            Self::Offloaded(_) => {
                "`nft list flowtables` shows flowtables of nftables, `tc filter show` those of act_ct; to see the packets \
                 here, take the rule away that adds the flow (`flow add`, `action ct`)"
            }
            Self::RanOut | Self::Deleted(DeleteKind::Expired) => {
                "if it went too soon: `rsct timeout why` says whose timeout it has, and `rsct timeout what-if` what \
                 another one would do"
            }
            Self::Deleted(_) => "`rsct why delete` with its addresses says who calls for it",
            Self::Gone => "watch again; if records were lost, with a filter",
            Self::NotConfirmed => {
                "look at the rules of the hooks behind conntrack, at routing and at rp_filter"
            }
            Self::Invalid => "`rsct why invalid` has the kernel's own reason",
            Self::Untracked => "look for NOTRACK, `CT --notrack` or nftables' `notrack` in the raw table",
            Self::Dropped => "see whether the table is full: `rsct why full`",
            Self::Elsewhere => "ask there: --netns and zone= name a namespace and a zone",
            Self::NeverSeen => {
                "see whether the packets get here at all (tcpdump), and whether a rule has conntrack look at this \
                 namespace's packets (`rsct doctor`)"
            }
        })
    }
}

/// Who forwards the packets of a flow in conntrack's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offload {
    /// The kernel's flowtable (`IPS_OFFLOAD`).
    Software,
    /// A network device (`IPS_HW_OFFLOAD`).
    Hardware,
}

impl Offload {
    /// What the status bits say. An entry that a device forwards has both.
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
    pub fn name(self) -> &'static str {
        match self {
            Self::Software => "software",
            Self::Hardware => "hardware",
        }
    }
}

/// What is known of one entry, or of a flow that has none.
#[derive(Clone, Copy, Debug, Default)]
pub struct Known {
    /// Its status bits, if it is in a table that was asked about.
    pub status: Option<u32>,
    /// Whether it was there when the watch began.
    pub was_there: bool,
    /// Whether its time is over, if no packet has come since.
    pub ran_out: bool,
    /// Why it was deleted last.
    pub deleted: Option<DeleteKind>,
    /// Whether it is in another table, or in another zone.
    pub elsewhere: bool,
}

impl Known {
    /// What follows, with the packets that were met in what was asked about and in what was not.
    pub fn closing(&self, seen: &[Seen], seen_elsewhere: bool) -> Closing {
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
        if let Some(cause) = self.deleted {
            return Closing::Deleted(cause);
        }
        if self.was_there {
            let refreshed = |seen: &Seen| {
                matches!(seen.role, Role::Request | Role::Reply) && seen.passing.outcome == Outcome::Tracked
            };
            return if self.ran_out && !seen.iter().any(refreshed) {
                Closing::RanOut
            } else {
                Closing::Gone
            };
        }
        let most = |outcome: Outcome| {
            seen.iter()
                .filter(|seen| seen.passing.outcome == outcome)
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
    use crate::why::sightings::{Passing, Place, Times, Way};

    fn seen(outcome: Outcome, packets: u64) -> Seen {
        Seen {
            role: Role::Request,
            passing: Passing {
                error: None,
                place: Place {
                    netns: 1,
                    hook: 0,
                    ifindex: 2,
                },
                outcome,
                way: Way::Alone,
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
    fn what_is_in_the_table_is_alive_or_unreplied() {
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
            let known = Known {
                status: Some(status),
                // Another entry with its tuple went before.
                deleted: Some(DeleteKind::Early),
                was_there: true,
                ran_out: true,
                elsewhere: true,
            };
            assert_eq!(known.closing(&[seen(Outcome::Invalid, 7)], true), closing);
        }
    }

    #[test]
    fn what_is_gone_was_deleted_or_went_unseen() {
        let known = Known {
            was_there: true,
            ..Known::default()
        };
        assert_eq!(known.closing(&[], false), Closing::Gone);
        let late = Known {
            ran_out: true,
            ..known
        };
        assert_eq!(late.closing(&[], false), Closing::RanOut);
        // It was given more time, and nobody knows how much.
        assert_eq!(late.closing(&[seen(Outcome::Tracked, 1)], false), Closing::Gone);
        let deleted = Known {
            deleted: Some(DeleteKind::Expired),
            ..known
        };
        assert_eq!(deleted.closing(&[], false), Closing::Deleted(DeleteKind::Expired));
    }

    #[test]
    fn packets_without_an_entry_say_why_there_is_none() {
        let known = Known::default();
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
        let other_zone = Known {
            elsewhere: true,
            ..known
        };
        assert_eq!(other_zone.closing(&[], false), Closing::Elsewhere);
    }
}
