//! Flows' timeouts for people: under each flow what gave it its timeouts, one after the other.

use std::io::Write as _;

use rsct_common::{
    Tuple, TupleWords,
    record::{EntryRecord, PacketFlags, PacketRecord},
};

use crate::{
    flow::{Flow, names, names::status, observation::Observation},
    timeouts::Source,
};

use super::{
    story::{self, Story},
    timeout_source,
};

/// Writes lines, and a heading where the flow is another than the last line's.
#[derive(Debug)]
pub struct TimeoutHistory {
    story: Story,
    under: Option<u64>,
}

impl TimeoutHistory {
    /// Lines that look as a story's do.
    pub fn new(story: Story) -> Self {
        Self { story, under: None }
    }

    /// The line for one observation, which is of timeouts.
    pub fn line(&mut self, out: &mut Vec<u8>, observation: Observation<'_>) {
        match observation {
            Observation::Cause(_) => return,
            Observation::Packet(record, flow, source, _) => {
                self.heading(out, flow, record.netns, record.tuple);
                self.packet(out, record, source.as_ref());
            }
            Observation::Entry(record, flow, _) => {
                self.heading(out, flow, record.netns, record.orig);
                self.entry(out, record);
            }
        }
        out.push(b'\n');
    }

    /// Whose timeouts follow.
    fn heading(&mut self, out: &mut Vec<u8>, flow: Option<&Flow>, netns: u32, orig: TupleWords) {
        let number = flow.map(|flow| flow.number);
        if number.is_some() && number == self.under {
            return;
        }
        self.under = number;
        let palette = &self.story.palette;
        // Writing to a Vec cannot fail.
        let _ = match number {
            Some(number) => write!(out, "flow {number} "),
            None => write!(out, "flow - "),
        };
        if self.story.show_netns {
            let _ = write!(out, "netns {netns} ");
        }
        let tuple = Tuple::from_words(orig);
        out.extend_from_slice(palette.good);
        story::protocol(out, tuple.protonum);
        out.push(b' ');
        story::ends(out, &tuple);
        out.extend_from_slice(palette.reset);
        out.push(b'\n');
    }

    fn packet(&self, out: &mut Vec<u8>, record: &PacketRecord, source: Option<&Source<'_>>) {
        self.begin(out, record.time_ns);
        if record.flags & PacketFlags::BEFORE != 0 && record.status_before & status::CONFIRMED != 0 {
            let before = record.timeout_before_jiffies;
            self.left(out, record.status_before, before, record.now_jiffies);
        } else {
            out.extend_from_slice(b"new");
        }
        self.arrow(
            out,
            record.status_after,
            record.timeout_after_jiffies,
            record.now_jiffies,
        );
        if let Some(source) = source {
            timeout_source::text(out, source);
        }
        let dir = if names::is_reply(record.ctinfo) {
            "reply"
        } else {
            "orig"
        };
        let _ = write!(
            out,
            "; {dir} packet of {} bytes at {}",
            record.len_bytes,
            names::hook(record.hook)
        );
        if let Some(state) = names::state(Tuple::from_words(record.tuple).protonum, record.state_after) {
            let _ = write!(out, ", {state}");
        }
        if record.has_tcp() {
            story::tcp(out, record);
        }
        if record.flags & PacketFlags::TASK != 0 {
            story::task(out, " from ", &record.comm, record.pid);
        }
    }

    fn entry(&self, out: &mut Vec<u8>, record: &EntryRecord) {
        self.begin(out, record.time_ns);
        self.story.entry_and_task(out, record);
    }

    fn begin(&self, out: &mut Vec<u8>, time_ns: u64) {
        let since_us = time_ns.saturating_sub(self.story.start_ns) / 1000;
        let _ = write!(out, "{:>6}.{:06}  ", since_us / 1_000_000, since_us % 1_000_000);
    }

    fn arrow(&self, out: &mut Vec<u8>, bits: u32, timeout: u32, now: u32) {
        out.extend_from_slice(" → ".as_bytes());
        self.left(out, bits, timeout, now);
    }

    fn left(&self, out: &mut Vec<u8>, bits: u32, timeout: u32, now: u32) {
        story::milliseconds(out, self.story.ticks.left_ms(bits, timeout, now));
    }
}
