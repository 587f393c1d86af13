//! Timeouts of flows for people: under each flow, the packets and operations that set them, in order.

use std::io::Write as _;

use rsct_common::{
    Tuple, TupleWords,
    record::{EntryRecord, PacketFlags, PacketRecord},
};

use crate::{
    flow::Flow,
    names::{self, status},
    observe::Observation,
    timeouts::TimeoutSource,
};

use super::{bytes, timeout_source, trace_text::Look, words};

/// Writes lines, and a heading if the flow differs from the last line's.
#[derive(Debug)]
pub(crate) struct TimeoutHistory {
    look: Look,
    under: Option<u64>,
}

impl TimeoutHistory {
    /// Lines that look like this.
    pub(crate) fn new(look: Look) -> Self {
        Self { look, under: None }
    }

    /// Appends the line for an observation that concerns timeouts.
    pub(crate) fn line(&mut self, out: &mut Vec<u8>, observation: Observation<'_>) {
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

    /// The flow whose timeouts follow.
    fn heading(&mut self, out: &mut Vec<u8>, flow: Option<&Flow>, netns: u32, orig: TupleWords) {
        let number = flow.map(|flow| flow.number);
        if number.is_some() && number == self.under {
            return;
        }
        self.under = number;
        let palette = &self.look.palette;
        // Writing to a Vec cannot fail.
        let _ = match number {
            Some(number) => write!(out, "flow {number} "),
            None => write!(out, "flow - "),
        };
        if self.look.show_netns {
            let _ = write!(out, "netns {netns} ");
        }
        let tuple = Tuple::from_words(orig);
        out.extend_from_slice(palette.good);
        words::tuple(out, &tuple);
        out.extend_from_slice(palette.reset);
        out.push(b'\n');
    }

    fn packet(&self, out: &mut Vec<u8>, record: &PacketRecord, source: Option<&TimeoutSource<'_>>) {
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
            words::tcp(
                out,
                record,
                |out| bytes::number(out, record.tcp_seq),
                |out| bytes::number(out, record.tcp_ack),
            );
        }
        if record.flags & PacketFlags::TASK != 0 {
            words::task(out, " from ", &record.comm, record.pid);
        }
    }

    fn entry(&self, out: &mut Vec<u8>, record: &EntryRecord) {
        self.begin(out, record.time_ns);
        self.look.entry_wide(out, record);
    }

    fn begin(&self, out: &mut Vec<u8>, time_ns: u64) {
        let since_us = self.look.since_start_ns(time_ns) / 1000;
        let _ = write!(out, "{:>6}.{:06}  ", since_us / 1_000_000, since_us % 1_000_000);
    }

    fn arrow(&self, out: &mut Vec<u8>, bits: u32, timeout: u32, now: u32) {
        out.extend_from_slice(" → ".as_bytes());
        self.left(out, bits, timeout, now);
    }

    fn left(&self, out: &mut Vec<u8>, bits: u32, timeout: u32, now: u32) {
        words::milliseconds(out, self.look.ticks.left_ms(bits, timeout, now));
    }
}
