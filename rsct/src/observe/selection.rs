//! The part of a stream that is reported.

use rsct_common::{
    Tuple,
    record::{CauseRecord, EntryFlags, EntryRecord, PacketFlags, PacketRecord},
};

use crate::{
    filter::{Details, Filter},
    flow::{Flow, FlowTable, reconcile::DumpedEntry, tuples::inverse},
};

use super::{Chosen, chosen};

/// The part of a stream that is reported.
#[derive(Clone, Debug, Default)]
pub(crate) struct Selection {
    /// The filter's part that eBPF programs do not check: an entry that does not match is tracked, but not reported.
    details: Option<Details>,
    /// The parts that a live source selects by itself.
    recorded: Option<Recorded>,
}

#[derive(Clone, Copy, Debug)]
struct Recorded {
    chosen: Chosen,
    from_ns: u64,
}

impl Selection {
    /// Of a live source, which was started with this filter.
    pub(crate) fn live(filter: &Filter) -> Self {
        Self {
            details: (!filter.details.is_empty()).then_some(filter.details),
            recorded: None,
        }
    }

    /// Of a recording: one namespace, or all, from a time on the monotonic clock.
    pub(crate) fn recorded(filter: &Filter, netns: Option<u32>, from_ns: u64) -> Self {
        let selects = !filter.is_empty() || netns.is_some() || from_ns != 0;
        Self {
            recorded: selects.then_some(Recorded {
                chosen: Chosen {
                    filter: *filter,
                    netns,
                },
                from_ns,
            }),
            ..Self::live(filter)
        }
    }

    /// Returns whether every record is reported.
    pub(crate) fn is_all(&self) -> bool {
        self.details.is_none() && self.recorded.is_none()
    }

    /// Returns whether a packet is of a selected flow: of one that is tracked. `flow` is the flow before the packet.
    pub(crate) fn tracks_packet(&self, record: &PacketRecord, flow: Option<&Flow>) -> bool {
        self.recorded.as_ref().is_none_or(|selected| {
            let orig = Tuple::from_words(record.tuple);
            let reply = flow.and_then(Flow::reply_tuple);
            selected.has(record.netns, &orig, reply, record.zone, record.mark)
        })
    }

    /// Returns whether an entry is tracked.
    pub(crate) fn tracks_entry(&self, record: &EntryRecord) -> bool {
        self.recorded.as_ref().is_none_or(|selected| {
            let (orig, reply) = (Tuple::from_words(record.orig), Tuple::from_words(record.reply));
            selected.has(record.netns, &orig, Some(reply), record.zone, record.mark)
        })
    }

    /// Returns whether an entry of a dump is tracked.
    pub(crate) fn tracks_dumped(&self, entry: &DumpedEntry) -> bool {
        self.recorded.as_ref().is_none_or(|selected| {
            let orig = Tuple::from_words(entry.key.orig);
            let reply = Tuple::from_words(entry.reply);
            selected.has(entry.key.netns, &orig, Some(reply), entry.key.zone, entry.mark)
        })
    }

    /// Returns whether a cause that belongs to no packet and no entry is reported.
    pub(super) fn reports_cause(&self, record: &CauseRecord, table: &FlowTable) -> bool {
        let has_details = |details: &Details| chosen::meets(details, record);
        self.details.as_ref().is_none_or(has_details)
            && self.recorded.as_ref().is_none_or(|selected| {
                record.time_ns >= selected.from_ns && selected.chosen.has_cause(record, table)
            })
    }

    /// Returns whether something at this time is reported.
    fn is_in_time(&self, time_ns: u64) -> bool {
        self.recorded
            .as_ref()
            .is_none_or(|selected| time_ns >= selected.from_ns)
    }

    /// Returns whether a tracked packet is reported: its entry, as the packet left it, matches; a packet without an entry
    /// does not.
    pub(super) fn reports_packet(&self, record: &PacketRecord, flow: Option<&Flow>) -> bool {
        let has_details = |details: &Details| {
            let orig = Tuple::from_words(record.tuple);
            let reply = flow.and_then(Flow::reply_tuple);
            record.flags & PacketFlags::AFTER != 0
                && details.meet_record(&orig, reply.as_ref(), record.status_after, record.state_after)
        };
        self.is_in_time(record.time_ns) && self.details.as_ref().is_none_or(has_details)
    }

    /// Returns whether an operation on a tracked entry is reported: the entry, as the operation left it, matches.
    pub(super) fn reports_entry(&self, record: &EntryRecord) -> bool {
        let has_details = |details: &Details| {
            let (status, state) = if record.flags & EntryFlags::RETURNED != 0 {
                (record.status_after, record.state_after)
            } else {
                (record.status_before, record.state_before)
            };
            let (orig, reply) = (Tuple::from_words(record.orig), Tuple::from_words(record.reply));
            details.meet_record(&orig, Some(&reply), status, state)
        };
        self.is_in_time(record.time_ns) && self.details.as_ref().is_none_or(has_details)
    }
}

impl Recorded {
    fn has(&self, netns: u32, orig: &Tuple, reply: Option<Tuple>, zone: u16, mark: u32) -> bool {
        // Without a known reply direction: no NAT.
        let reply = reply.unwrap_or_else(|| inverse(orig));
        self.chosen.has_netns(netns) && self.chosen.filter.matches(orig, &reply, zone, mark)
    }
}

#[cfg(test)]
mod tests {
    use rsct_common::record::CauseFamily;
    use zerocopy::FromZeros as _;

    use super::*;
    use crate::{
        filter::StateSet,
        names::{proto, status},
    };

    fn udp() -> Filter {
        Filter {
            proto: Some(proto::UDP),
            ..Filter::default()
        }
    }

    fn words(protonum: u8) -> [u64; 5] {
        Tuple {
            protonum,
            ..Tuple::default()
        }
        .to_words()
    }

    /// The parts of a stream that select packets, entries and dumped entries alike.
    const PARTS: [(Option<u8>, Option<u32>, [bool; 2]); 4] = [
        (None, None, [true, true]),
        (Some(proto::UDP), None, [true, false]),
        (None, Some(1), [true, true]),
        (Some(proto::UDP), Some(2), [false, false]),
    ];

    #[test]
    fn packets_and_entries_of_the_selected_flows_are_tracked() {
        for (proto, netns, tracked) in PARTS {
            let filter = Filter {
                proto,
                ..Filter::default()
            };
            let selection = Selection::recorded(&filter, netns, 0);
            let tracks = [proto::UDP, proto::TCP].map(|protonum| {
                let packet = PacketRecord {
                    netns: 1,
                    tuple: words(protonum),
                    ..PacketRecord::default()
                };
                let entry = EntryRecord {
                    netns: 1,
                    orig: words(protonum),
                    ..EntryRecord::default()
                };
                let dumped = DumpedEntry {
                    key: crate::flow::TupleKey {
                        netns: 1,
                        zone: 0,
                        orig: words(protonum),
                    },
                    reply: [0; 5],
                    status: 0,
                    state: 0,
                    mark: 0,
                    timeout_seconds: None,
                };
                [
                    selection.tracks_packet(&packet, None),
                    selection.tracks_entry(&entry),
                    selection.tracks_dumped(&dumped),
                ]
            });
            assert_eq!(tracks, tracked.map(|is_it| [is_it; 3]), "{selection:?}");
        }
        // A live source tracks what its eBPF programs report.
        let packet = PacketRecord {
            tuple: words(proto::TCP),
            ..PacketRecord::default()
        };
        assert!(Selection::live(&udp()).tracks_packet(&packet, None));
    }

    #[test]
    fn a_selection_of_everything_needs_no_check() {
        let all = Filter::default();
        let confirmed = with_status(status::CONFIRMED);
        for (selection, is_all) in [
            (Selection::default(), true),
            (Selection::live(&all), true),
            (Selection::live(&udp()), true),
            (Selection::live(&confirmed), false),
            (Selection::recorded(&all, None, 0), true),
            (Selection::recorded(&all, None, 1), false),
            (Selection::recorded(&all, Some(1), 0), false),
            (Selection::recorded(&udp(), None, 0), false),
        ] {
            assert_eq!(selection.is_all(), is_all, "{selection:?}");
        }
    }

    fn with_status(set: u32) -> Filter {
        let mut filter = Filter::default();
        filter.details.status = Some(crate::filter::Status { set, clear: 0 });
        filter
    }

    #[test]
    fn a_packet_is_reported_if_its_entry_matches_after_it() {
        let selection = Selection::live(&with_status(status::SEEN_REPLY));
        let packet = |flags, status_after| PacketRecord {
            flags,
            status_after,
            time_ns: 10,
            ..PacketRecord::default()
        };
        for (record, reported) in [
            (packet(PacketFlags::AFTER, status::SEEN_REPLY), true),
            (packet(PacketFlags::AFTER, 0), false),
            // It has no entry.
            (packet(0, status::SEEN_REPLY), false),
        ] {
            assert_eq!(selection.reports_packet(&record, None), reported, "{record:?}");
        }
        for (from_ns, reported) in [(9, true), (10, true), (11, false)] {
            let selection = Selection::recorded(&Filter::default(), None, from_ns);
            assert_eq!(selection.reports_packet(&packet(0, 0), None), reported);
        }
    }

    #[test]
    fn an_operation_is_reported_if_it_leaves_a_matching_entry() {
        let selection = Selection::live(&with_status(status::ASSURED));
        let entry = |flags, status_before, status_after| EntryRecord {
            flags,
            status_before,
            status_after,
            time_ns: 10,
            ..EntryRecord::default()
        };
        for (record, reported) in [
            (entry(EntryFlags::RETURNED, 0, status::ASSURED), true),
            (entry(EntryFlags::RETURNED, status::ASSURED, 0), false),
            (entry(0, status::ASSURED, 0), true),
            (entry(0, 0, status::ASSURED), false),
        ] {
            assert_eq!(selection.reports_entry(&record), reported, "{record:?}");
        }
        for (from_ns, reported) in [(9, true), (10, true), (11, false)] {
            let selection = Selection::recorded(&Filter::default(), None, from_ns);
            assert_eq!(selection.reports_entry(&entry(0, 0, 0)), reported);
        }
    }

    #[test]
    fn a_cause_is_of_the_selected_flows() {
        let table = FlowTable::new(250);
        let cause = |protonum| CauseRecord {
            family: CauseFamily::Drop as u8,
            netns: 1,
            time_ns: 10,
            tuple: Tuple {
                protonum,
                ..Tuple::default()
            }
            .to_words(),
            ..CauseRecord::new_zeroed()
        };
        let udp = udp();
        let established = Filter {
            details: Details {
                state: StateSet::named("ESTABLISHED"),
                ..Details::default()
            },
            ..Filter::default()
        };
        for (selection, reported) in [
            (Selection::default(), [true, true]),
            (Selection::recorded(&udp, None, 0), [true, false]),
            (Selection::recorded(&udp, Some(2), 0), [false, false]),
            (Selection::recorded(&Filter::default(), Some(1), 0), [true, true]),
            (Selection::recorded(&Filter::default(), None, 11), [false, false]),
            (Selection::live(&udp), [true, true]),
            // A cause without an entry has no state.
            (Selection::live(&established), [false, false]),
        ] {
            let reports = [proto::UDP, proto::TCP].map(|of| selection.reports_cause(&cause(of), &table));
            assert_eq!(reports, reported, "{selection:?}");
        }
    }
}
