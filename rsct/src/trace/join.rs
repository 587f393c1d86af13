//! Both sources, held together: every record goes through here, and every entry of a dump.

use std::io::{self, Write};

use rsct_common::{
    Tuple,
    record::{EntryFlags, EntryKind, EntryRecord, PacketFlags, PacketRecord, PolicyEvent, PolicyRecord},
};

use crate::{
    filter::Details,
    flow::{
        Flow, FlowKey, Table,
        observation::{Observation, Outcome},
        reconcile::Dumped,
        table::PolicyOf,
    },
    probe::ring::Record,
    provenance::Known,
};

use super::{
    output::Output,
    whys::{Begun, Whys},
};

/// How many of what were seen.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    /// Records of packets.
    pub packets: u64,
    /// Of those, the ones that conntrack called invalid.
    pub invalid: u64,
    /// Of those, the ones that conntrack dropped.
    pub dropped: u64,
    /// Records of entries.
    pub entries: u64,
    /// Entries that were confirmed or made by hand.
    pub inserted: u64,
    /// Entries that were deleted.
    pub deleted: u64,
    /// Packets recorded without their cost or their state before.
    pub incomplete: u64,
}

/// The table, what feeds it and what comes out.
pub struct Join<W> {
    /// The flows.
    pub table: Table,
    /// The timeouts that they can have.
    pub timeouts: Known,
    /// What was seen so far.
    pub counts: Counts,
    /// Where lines go.
    pub output: Output<W>,
    /// Records from before all programs were attached tell half a story, and are passed over.
    pub started_ns: u64,
    /// Why things happen, where that is asked.
    pub whys: Whys,
    /// What the programs don't look at, where anything was asked: an entry that doesn't meet it is known, but not told
    /// of.
    pub details: Option<Details>,
    /// How many more lines are wanted.
    pub remaining: u64,
    /// What went wrong when a line was written; a broken pipe is an end like any other.
    pub write_error: Option<io::Error>,
}

impl<W: Write> Join<W> {
    /// Takes in one record.
    pub fn record(&mut self, record: Record<'_>) {
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
                    && !wants_packet(details, record, flow)
                {
                    return;
                }
                self.counts.packets += 1;
                match Outcome::of(record) {
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
                    self.output
                        .observe(Observation::Packet(record, flow, source, why.as_deref()))
                }
            }
            Record::Entry(record) => {
                if record.time_ns < self.started_ns {
                    return;
                }
                let flow = self.table.entry(record);
                if let Some(details) = &self.details
                    && !wants_entry(details, record)
                {
                    return;
                }
                self.counts.entries += 1;
                match EntryKind::from_byte(record.what) {
                    Some(EntryKind::Confirm | EntryKind::CheckInsert) => self.counts.inserted += 1,
                    Some(EntryKind::Delete) => self.counts.deleted += 1,
                    _ => {}
                }
                let why = self.whys.of_entry(record);
                self.output
                    .observe(Observation::Entry(record, flow.as_ref(), why.as_deref()))
            }
            Record::Policy(record) => return self.policy(record),
            // Nobody lists, nobody asks why, nobody measures.
            Record::Dump(_) | Record::Cause(_) | Record::Slow(_) => return,
        };
        self.remaining -= 1;
        if let Err(error) = result {
            self.write_error = Some(error);
        }
    }

    /// A policy comes to govern a flow, or ends.
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

    /// Takes in one entry of a dump.
    pub fn dumped(&mut self, entry: &Dumped, now_ns: u64) {
        self.table.dumped(entry, now_ns);
    }

    /// Goes on with what tells causes, and tells of those that belong to no packet and no entry, of what
    /// was recorded before `before_ns`: of the rest what it belongs to may still come.
    pub fn causes(&mut self, before_ns: u64) {
        let begun = self.whys.go_on();
        if let Some(Begun::Working(_)) = begun {
            for report in self.whys.missed() {
                message!(
                    "{} not attached ({}); not told: {}",
                    report.hook.function,
                    report.why_not_better.join("; "),
                    report.hook.shows
                );
            }
        }
        let said = match begun {
            Some(Begun::Working([fentry, kprobe, not])) if self.output.is_json() => self.output.line(|out| {
                let line = format!(
                    "{{\"type\":\"causes\",\"hooks\":{{\"fentry\":{fentry},\"kprobe\":{kprobe},\"not_attached\":{not}}}}}\n"
                );
                out.extend_from_slice(line.as_bytes());
            }),
            Some(Begun::Failed(error)) => {
                message!("causes are not told: {error}");
                Ok(())
            }
            _ => Ok(()),
        };
        if let Err(error) = said {
            self.write_error = Some(error);
        }
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

    /// Whether nothing more is wanted.
    pub fn is_over(&self) -> bool {
        self.remaining == 0 || self.write_error.is_some()
    }

    /// Hands on the lines there are.
    pub fn flush(&mut self) {
        if self.write_error.is_none()
            && let Err(error) = self.output.flush()
        {
            self.write_error = Some(error);
        }
    }
}

/// Whether a packet's entry, as it left it, is to be told of; a packet without one is not.
fn wants_packet(details: &Details, record: &PacketRecord, flow: Option<&Flow>) -> bool {
    let orig = Tuple::from_words(record.tuple);
    let reply = flow.and_then(Flow::reply_tuple);
    record.flags & PacketFlags::AFTER != 0
        && details.meet_record(&orig, reply.as_ref(), record.status_after, record.state_after)
}

/// Whether an entry, as an operation left it, is to be told of.
fn wants_entry(details: &Details, record: &EntryRecord) -> bool {
    let (status, state) = if record.flags & EntryFlags::RETURNED != 0 {
        (record.status_after, record.state_after)
    } else {
        (record.status_before, record.state_before)
    };
    let (orig, reply) = (Tuple::from_words(record.orig), Tuple::from_words(record.reply));
    details.meet_record(&orig, Some(&reply), status, state)
}
