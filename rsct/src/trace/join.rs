//! The join of both sources: it processes every record and every entry of a dump.

use std::io::{self, Write};

use rsct_common::{
    Tuple,
    record::{EntryFlags, EntryRecord, PacketFlags, PacketRecord, PolicyEvent, PolicyRecord},
};

use crate::{
    filter::Details,
    flow::{
        Flow, FlowKey, FlowTable, PolicyOf, delete_kind, operation::Operation, outcome::Outcome,
        reconcile::DumpedEntry,
    },
    observe::{Observation, Reason},
    probe::ring::Record,
    provenance::KnownTimeouts,
    render::bytes::json_line,
    schema::{tag, trace::Causes},
};

use super::{
    output::Output,
    whys::{Begun, Whys},
};

/// Numbers of records, by kind.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    /// Records of packets.
    pub packets: u64,
    /// Of these, packets that conntrack found INVALID.
    pub invalid: u64,
    /// Of these, packets that conntrack dropped.
    pub dropped: u64,
    /// Records of entries.
    pub entries: u64,
    /// Entries that were confirmed, or created by user space.
    pub inserted: u64,
    /// Deleted entries.
    pub deleted: u64,
    /// Packets recorded without their cost or their previous state.
    pub incomplete: u64,
}

/// The table, its inputs and its output.
pub(crate) struct Join<W> {
    /// The flows.
    pub table: FlowTable,
    /// The timeouts that apply to them.
    pub timeouts: KnownTimeouts,
    /// Numbers of records so far.
    pub counts: Counts,
    /// The output.
    pub output: Output<W>,
    /// Earlier records are skipped: not all eBPF programs were attached yet.
    pub started_ns: u64,
    /// Causes, if they are reported.
    pub whys: Whys,
    /// The filter's part that eBPF programs do not check: an entry that does not match is tracked, but not reported.
    pub details: Option<Details>,
    /// The number of lines to write.
    pub most: u64,
    /// The error of the first failed write; a broken pipe is a normal end.
    pub write_error: Option<io::Error>,
}

impl<W: Write> Join<W> {
    /// Processes one record.
    pub(crate) fn record(&mut self, record: Record<'_>) {
        if self.is_over() {
            return;
        }
        let result = match record {
            Record::Packet(record) => {
                if record.time_ns < self.started_ns {
                    return;
                }
                let flow = self.table.packet(record);
                if let Some(details) = &self.details
                    && !matches_packet(details, record, flow)
                {
                    return;
                }
                self.counts.packets += 1;
                let outcome = Outcome::of(record);
                match outcome {
                    Outcome::Invalid => self.counts.invalid += 1,
                    Outcome::Dropped => self.counts.dropped += 1,
                    _ => {}
                }
                self.counts.incomplete += u64::from(record.flags & PacketFlags::DURATION == 0);
                if self.output.is_silent() {
                    Ok(())
                } else {
                    let policy = flow.map_or(PolicyOf::NONE, |flow| flow.policy);
                    let source = self.timeouts.source_of(record, policy);
                    let why = self.whys.of_packet(record);
                    let reason = match why.as_deref() {
                        Some(why) => Reason::Known(why),
                        None if outcome == Outcome::Invalid && self.whys.are_coming() => Reason::NotYet,
                        None => Reason::None,
                    };
                    self.output
                        .observe(Observation::Packet(record, flow, source, reason))
                }
            }
            Record::Entry(record) => {
                if record.time_ns < self.started_ns {
                    return;
                }
                let flow = self.table.entry(record);
                if let Some(details) = &self.details
                    && !matches_entry(details, record)
                {
                    return;
                }
                self.counts.entries += 1;
                match Operation::of(record) {
                    Some(Operation::Confirmed | Operation::Created) => self.counts.inserted += 1,
                    Some(Operation::Deleted(_)) if delete_kind::deleted(record) => self.counts.deleted += 1,
                    _ => {}
                }
                let why = self.whys.of_entry(record);
                self.output
                    .observe(Observation::Entry(record, flow.as_ref(), why.as_deref()))
            }
            Record::Policy(record) => return self.policy(record),
            // Records of other commands.
            Record::Dump(_) | Record::Cause(_) | Record::Slow(_) => return,
        };
        self.wrote(result);
    }

    /// A policy begins to govern a flow, or ends.
    fn policy(&mut self, record: &PolicyRecord) {
        match PolicyEvent::from_byte(record.what) {
            Some(PolicyEvent::Governs) => {
                let key = FlowKey {
                    ct: record.ct,
                    birth_ns: record.birth_ns,
                };
                let number = self.timeouts.policy(record);
                self.table.governed(key, PolicyOf::numbered(number));
            }
            Some(PolicyEvent::Ended) => {
                for number in self.timeouts.ended(record) {
                    self.table.policy_ended(PolicyOf::numbered(number));
                }
            }
            None => {}
        }
    }

    /// Processes one entry of a dump.
    pub(crate) fn dumped(&mut self, entry: &DumpedEntry, now_ns: u64) {
        self.table.dumped(entry, now_ns);
    }

    /// Continues to attach the programs that report causes.
    pub(crate) fn attach_causes(&mut self) {
        let begun = self.whys.go_on();
        if let Some(Begun::Working(_)) = begun {
            for report in self.whys.missed() {
                message!(
                    "{} not attached ({}); not reported: {}",
                    report.hook.function,
                    report.why_not_better.join("; "),
                    report.hook.shows
                );
            }
        }
        let written = match begun {
            Some(Begun::Working(attached)) if self.output.is_json() => {
                let line = Causes {
                    r#type: tag::Causes,
                    hook_counts: attached.into(),
                };
                self.output.line(|out| json_line(out, &line))
            }
            Some(Begun::Failed(error)) => {
                message!("causes are not reported: {error}");
                Ok(())
            }
            _ => Ok(()),
        };
        self.wrote(written);
    }

    /// Reports the causes before `before_ns` that belong to no packet and no entry; the record of a later one may still
    /// arrive.
    pub(crate) fn causes_alone(&mut self, before_ns: u64) {
        let Self {
            whys,
            output,
            write_error,
            ..
        } = self;
        whys.alone(before_ns, |why| {
            if let Err(error) = output.observe(Observation::Cause(why)) {
                *write_error = Some(error);
            }
        });
    }

    /// Returns whether the output is complete or has failed.
    pub(crate) fn is_over(&self) -> bool {
        self.output.count >= self.most || self.write_error.is_some()
    }

    /// Keeps the error of a failed write.
    pub(crate) fn wrote(&mut self, result: io::Result<()>) {
        if let Err(error) = result {
            self.write_error = Some(error);
        }
    }

    /// Writes the lines up to `until_ns`.
    pub(crate) fn settle(&mut self, until_ns: u64) {
        if self.write_error.is_none() {
            let settled = self.output.settle(until_ns);
            self.wrote(settled);
        }
    }

    /// Writes all lines.
    pub(crate) fn flush(&mut self) {
        self.settle(u64::MAX);
    }
}

/// Returns whether a packet's entry, as the packet left it, matches; a packet without an entry does not.
fn matches_packet(details: &Details, record: &PacketRecord, flow: Option<&Flow>) -> bool {
    let orig = Tuple::from_words(record.tuple);
    let reply = flow.and_then(Flow::reply_tuple);
    record.flags & PacketFlags::AFTER != 0
        && details.meet_record(&orig, reply.as_ref(), record.status_after, record.state_after)
}

/// Returns whether an entry, as the operation left it, matches.
fn matches_entry(details: &Details, record: &EntryRecord) -> bool {
    let (status, state) = if record.flags & EntryFlags::RETURNED != 0 {
        (record.status_after, record.state_after)
    } else {
        (record.status_before, record.state_before)
    };
    let (orig, reply) = (Tuple::from_words(record.orig), Tuple::from_words(record.reply));
    details.meet_record(&orig, Some(&reply), status, state)
}
