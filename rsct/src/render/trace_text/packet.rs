//! The event of a packet's line: its outcome, and what changed in its entry.

use rsct_common::{
    Tuple,
    record::{PacketFlags, PacketRecord},
};

use crate::{
    causes::Why,
    flow::{icmp, outcome::Outcome},
    names::{self, status},
    observe::Reason,
    timeouts::TimeoutSource,
};

use super::{
    look::Look,
    sequence::{Number, Numbers},
};
use crate::render::{bytes, timeout_source, trace_why, words};

impl Look {
    pub(super) fn packet(
        &self,
        out: &mut Vec<u8>,
        record: &PacketRecord,
        source: Option<&TimeoutSource<'_>>,
        numbers: Option<Numbers>,
        why: Option<&Why>,
    ) {
        let palette = &self.palette;
        let outcome = Outcome::of(record);
        match outcome {
            Outcome::Untracked => out.extend_from_slice(b"UNTRACKED"),
            Outcome::Invalid | Outcome::Dropped => {
                self.rejected(out, outcome);
                if let Some(why) = why {
                    out.push(b' ');
                    trace_why::brief(out, why);
                }
            }
            Outcome::TrackedAlready => self.tracked_already(out, record),
            Outcome::Created => {
                palette.paint(out, palette.good, b"created");
                self.state(out, record.tuple, record.state_after);
                self.new_timeout(out, record, source);
            }
            Outcome::Tracked => self.tracked(out, record, source),
        }
        if let Some(numbers) = numbers {
            self.tcp(out, record, numbers);
        }
        if let Some(error) = icmp::Error::of(record) {
            icmp_error(out, " ICMP ", &error);
        }
        words::zone(out, record.zone);
        // Most packets of an entry have the same sender: only the wide layout names it each time.
        let has_no_entry_yet = !matches!(outcome, Outcome::Tracked | Outcome::TrackedAlready);
        if has_no_entry_yet && record.flags & PacketFlags::TASK != 0 {
            words::task(out, " from ", &record.comm, record.pid);
        }
    }

    fn rejected(&self, out: &mut Vec<u8>, outcome: Outcome) {
        let text: &[u8] = match outcome {
            Outcome::Invalid => b"INVALID",
            _ => b"DROPPED",
        };
        self.palette.paint(out, self.palette.bad, text);
    }

    fn tracked_already(&self, out: &mut Vec<u8>, record: &PacketRecord) {
        let palette = &self.palette;
        palette.paint(out, palette.dim, names::ctinfo(record.ctinfo).as_bytes());
        palette.paint(out, palette.dim, b", tracked already");
    }

    /// `ESTABLISHED +ASSURED 120s udp_timeout_stream`, `→ SYN_RECV +SEEN_REPLY 60s`, `→ 300s unacknowledged`.
    fn tracked(&self, out: &mut Vec<u8>, record: &PacketRecord, source: Option<&TimeoutSource<'_>>) {
        let palette = &self.palette;
        let ctinfo = names::ctinfo(record.ctinfo).as_bytes();
        if record.flags & PacketFlags::BEFORE == 0 {
            return bytes::short(out, ctinfo);
        }
        let has_new_state = record.state_before != record.state_after;
        let is_refreshed = record.timeout_before_jiffies != record.timeout_after_jiffies;
        let has_states = names::state(Tuple::from_words(record.tuple).protonum, 0).is_some();
        let is_arrow = has_states && (has_new_state || is_refreshed);
        out.extend_from_slice(if is_refreshed { palette.refreshed } else { b"" });
        // A change of a protocol's state or timeout carries more information than ESTABLISHED.
        if !is_arrow || ctinfo != b"ESTABLISHED" {
            bytes::short(out, ctinfo);
            if is_arrow {
                out.push(b' ');
            }
        }
        if is_arrow {
            out.extend_from_slice("→".as_bytes());
        }
        if has_new_state {
            self.state(out, record.tuple, record.state_after);
        }
        out.extend_from_slice(if is_refreshed { palette.reset } else { b"" });
        self.status_changes(out, record);
        if is_refreshed {
            self.new_timeout(out, record, source);
        }
    }

    fn status_changes(&self, out: &mut Vec<u8>, record: &PacketRecord) {
        let palette = &self.palette;
        for name in status::names(record.status_after & !record.status_before) {
            out.extend_from_slice(b" +");
            palette.paint(out, palette.good, name.as_bytes());
        }
        for name in status::names(record.status_before & !record.status_after) {
            out.extend_from_slice(b" -");
            palette.paint(out, palette.bad, name.as_bytes());
        }
    }

    /// ` 120s udp_timeout_stream`.
    fn new_timeout(&self, out: &mut Vec<u8>, record: &PacketRecord, source: Option<&TimeoutSource<'_>>) {
        out.push(b' ');
        self.left_after(out, record);
        if let Some(source) = source {
            let protonum = Tuple::from_words(record.tuple).protonum;
            timeout_source::brief(out, source, names::state(protonum, record.state_after));
        }
    }

    pub(super) fn left_after(&self, out: &mut Vec<u8>, record: &PacketRecord) {
        let (bits, timeout) = (record.status_after, record.timeout_after_jiffies);
        self.left(out, bits, timeout, record.now_jiffies);
    }

    /// ` [S.] seq 0 ack 1`, with tcpdump's letters.
    fn tcp(&self, out: &mut Vec<u8>, record: &PacketRecord, numbers: Numbers) {
        out.extend_from_slice(b" [");
        words::tcp_letters(out, record.tcp_flags);
        out.extend_from_slice(b"] seq ");
        self.tcp_number(out, numbers.seq);
        // Without an entry, nothing relates an acknowledgement to anything; two absolute numbers are too long for a line.
        let has_room = self.style.absolute || numbers.seq.relative.is_some();
        if let Some(ack) = numbers.ack
            && record.ct != 0
            && has_room
        {
            out.extend_from_slice(b" ack ");
            self.tcp_number(out, ack);
        }
    }

    fn tcp_number(&self, out: &mut Vec<u8>, number: Number) {
        match number.relative {
            _ if self.style.absolute => bytes::number(out, number.raw),
            Some(relative) => bytes::number(out, relative),
            None => {
                out.extend_from_slice(b"abs ");
                bytes::number(out, number.raw);
            }
        }
    }

    pub(super) fn packet_wide(
        &self,
        out: &mut Vec<u8>,
        record: &PacketRecord,
        source: Option<&TimeoutSource<'_>>,
        numbers: Option<Numbers>,
        reason: Reason<'_>,
    ) {
        let palette = &self.palette;
        match Outcome::of(record) {
            Outcome::Untracked => out.extend_from_slice(b"UNTRACKED"),
            outcome @ (Outcome::Invalid | Outcome::Dropped) => {
                self.rejected(out, outcome);
                if record.flags & PacketFlags::BEFORE != 0 && record.status_before & status::CONFIRMED != 0 {
                    out.extend_from_slice(b" for its entry");
                    self.state(out, record.tuple, record.state_before);
                }
            }
            Outcome::TrackedAlready => self.tracked_already(out, record),
            Outcome::Created => {
                palette.paint(out, palette.good, b"created");
                self.state(out, record.tuple, record.state_after);
                if record.status_after & status::SEEN_REPLY == 0 {
                    out.extend_from_slice(b" UNREPLIED");
                }
                out.extend_from_slice(b" with ");
                self.left_after(out, record);
                if let Some(source) = source {
                    timeout_source::text(out, source);
                }
            }
            Outcome::Tracked => {
                bytes::short(out, names::ctinfo(record.ctinfo).as_bytes());
                self.changes_wide(out, record, source);
            }
        }
        if let Some(numbers) = numbers {
            self.tcp_wide(out, record, numbers);
        }
        if let Some(error) = icmp::Error::of(record) {
            icmp_error(out, ", ICMP ", &error);
        }
        if record.ifindex != 0 {
            let way: &[u8] = if names::leaves(record.hook) {
                b" out "
            } else {
                b" in "
            };
            bytes::short(out, way);
            self.interface(out, record.netns, record.ifindex);
        }
        words::zone(out, record.zone);
        if record.flags & PacketFlags::TASK != 0 {
            words::task(out, " from ", &record.comm, record.pid);
        }
        match reason {
            Reason::NotYet => {
                out.extend_from_slice(b"; cause unknown: the hooks that report causes are not attached yet")
            }
            reason => trace_why::text(out, reason.known()),
        }
    }

    fn changes_wide(&self, out: &mut Vec<u8>, record: &PacketRecord, source: Option<&TimeoutSource<'_>>) {
        if record.flags & PacketFlags::BEFORE == 0 {
            return;
        }
        let palette = &self.palette;
        if record.state_before != record.state_after {
            let number = Tuple::from_words(record.tuple).protonum;
            let before = names::state(number, record.state_before).unwrap_or("?");
            let after = names::state(number, record.state_after).unwrap_or("?");
            out.extend_from_slice(b", state ");
            bytes::short(out, before.as_bytes());
            out.extend_from_slice(" → ".as_bytes());
            palette.paint(out, palette.good, after.as_bytes());
        }
        self.status_changes(out, record);
        if record.timeout_before_jiffies != record.timeout_after_jiffies {
            out.extend_from_slice(b", ");
            let (bits, before) = (record.status_before, record.timeout_before_jiffies);
            self.left(out, bits, before, record.now_jiffies);
            out.extend_from_slice(" → ".as_bytes());
            self.left_after(out, record);
            if let Some(source) = source {
                timeout_source::text(out, source);
            }
        }
    }

    /// ` [SYN,ACK seq 0 (2903) ack 1 (4711) win 65160]`: each relative number with the absolute one.
    fn tcp_wide(&self, out: &mut Vec<u8>, record: &PacketRecord, numbers: Numbers) {
        words::tcp(
            out,
            record,
            |out| self.tcp_number_wide(out, numbers.seq),
            |out| match numbers.ack {
                Some(ack) => self.tcp_number_wide(out, ack),
                None => bytes::number(out, record.tcp_ack),
            },
        );
    }

    fn tcp_number_wide(&self, out: &mut Vec<u8>, number: Number) {
        self.tcp_number(out, number);
        if number.relative.is_some() && !self.style.absolute {
            out.extend_from_slice(b" (");
            bytes::number(out, number.raw);
            out.push(b')');
        }
    }
}

fn icmp_error(out: &mut Vec<u8>, before: &str, error: &icmp::Error) {
    out.extend_from_slice(before.as_bytes());
    out.extend_from_slice(error.name().as_bytes());
    out.extend_from_slice(b" from ");
    bytes::address(out, error.from());
}

/// The cause in prose: the words that the kernel logs, or why there are none.
pub(super) fn explain(out: &mut Vec<u8>, reason: Reason<'_>) {
    match reason {
        Reason::None => {}
        Reason::NotYet => out.extend_from_slice(b"; cause hooks not attached yet"),
        Reason::Known(why) => {
            if let Some(said) = &why.said {
                out.extend_from_slice(b"; ");
                out.extend_from_slice(crate::outside::shown(said.as_bytes()).as_bytes());
            }
        }
    }
}
