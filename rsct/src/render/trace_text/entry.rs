//! The event of an entry's line: an operation of the kernel on it. Also the lines of causes that belong to no other line.

use rsct_common::{
    Tuple,
    record::{CauseFlags, EntryFlags, EntryRecord},
};

use crate::{
    causes::{Cause, Why, delete::DeleteCause},
    flow::{delete_kind::DeleteKind, operation::Operation},
    names::{proto, status},
    outside,
};

use super::look::Look;
use crate::render::{bytes, trace_why, words};

/// The agent of an operation without a known task.
const BY_USER_SPACE: &str = " by user space";

impl Look {
    pub(super) fn entry(&self, out: &mut Vec<u8>, record: &EntryRecord, why: Option<&Why>) {
        let Some(operation) = Operation::of(record) else {
            return;
        };
        if matches!(operation, Operation::Refreshed | Operation::ChangedTimeout) {
            return self.entry_wide(out, record);
        }
        self.operation(out, operation);
        match operation {
            Operation::AllocFailed => match why {
                Some(_) => cause(out, why),
                None => out.extend_from_slice(b": table full or no memory"),
            },
            Operation::Inserted => translation(out, record),
            Operation::Clash => {
                out.extend_from_slice(b", packet reassigned");
                cause(out, why);
            }
            Operation::NotConfirmed => {
                out.extend_from_slice(b", dropped");
                cause(out, why);
            }
            Operation::Confirmed => {
                out.push(b' ');
                self.left_of_entry(out, record);
                translation(out, record);
            }
            Operation::NotCreated => {
                not_created(out, record);
                cause(out, why);
            }
            Operation::Created => {
                self.state(out, record.orig, record.state_after);
                out.push(b' ');
                self.left_of_entry(out, record);
                by(out, record, BY_USER_SPACE);
            }
            Operation::Deleted(kind) => self.deleted(out, record, kind, why),
            Operation::Destroyed => destroyed(out, record),
            Operation::Refreshed | Operation::ChangedTimeout => {}
        }
    }

    /// The operation alone: `confirmed`.
    fn operation(&self, out: &mut Vec<u8>, operation: Operation) {
        let palette = &self.palette;
        let (color, text): (_, &[u8]) = match operation {
            Operation::AllocFailed => (palette.bad, b"allocation failed"),
            Operation::Inserted => (palette.confirmed, b"inserted"),
            Operation::Confirmed => (palette.confirmed, b"confirmed"),
            Operation::Clash => (palette.bad, b"clash"),
            Operation::NotConfirmed => (palette.bad, b"not confirmed"),
            Operation::Created => (palette.good, b"created"),
            Operation::NotCreated => (palette.bad, b"not created"),
            Operation::Refreshed => (palette.refreshed, b"refreshed"),
            Operation::ChangedTimeout => (palette.refreshed, b"timeout"),
            Operation::Deleted(DeleteKind::DyingAlready) => return out.extend_from_slice(b"already dying"),
            Operation::Deleted(DeleteKind::Expired) => (palette.ended, b"expired"),
            Operation::Deleted(DeleteKind::Netlink | DeleteKind::Early) => (palette.ended, b"deleted"),
            Operation::Destroyed => (palette.ended, b"destroyed"),
        };
        palette.paint(out, color, text);
    }

    fn deleted(&self, out: &mut Vec<u8>, record: &EntryRecord, kind: DeleteKind, why: Option<&Why>) {
        if kind == DeleteKind::DyingAlready {
            return;
        }
        match (kind, why.map(|why| why.cause)) {
            // The event names these two.
            (DeleteKind::Expired, Some(Cause::Delete(DeleteCause::Expired)))
            | (DeleteKind::Netlink, Some(Cause::Delete(DeleteCause::Netlink))) => {}
            (_, Some(_)) => cause(out, why),
            (DeleteKind::Early, None) => out.extend_from_slice(b" early"),
            (_, None) => {}
        }
        if kind == DeleteKind::Netlink {
            by(out, record, " over netlink");
        }
        if kind != DeleteKind::Expired {
            self.left_before(out, record);
        }
        delivery(out, record);
    }

    fn left_of_entry(&self, out: &mut Vec<u8>, record: &EntryRecord) {
        let (bits, timeout) = (record.status_after, record.timeout_after_jiffies);
        self.left(out, bits, timeout, record.now_jiffies);
    }

    /// `, 29s left`, of a deleted entry.
    fn left_before(&self, out: &mut Vec<u8>, record: &EntryRecord) {
        let (bits, timeout) = (record.status_before, record.timeout_before_jiffies);
        out.extend_from_slice(b", ");
        self.left(out, bits, timeout, record.now_jiffies);
        out.extend_from_slice(b" left");
    }

    /// The event in full, with the task.
    pub(in crate::render) fn entry_wide(&self, out: &mut Vec<u8>, record: &EntryRecord) {
        let Some(operation) = Operation::of(record) else {
            return;
        };
        self.operation(out, operation);
        let mut agent = "";
        match operation {
            Operation::AllocFailed => {
                out.extend_from_slice(b": the table is full, or no memory is left (error ");
                bytes::number(out, -record.ret);
                out.push(b')');
            }
            Operation::Inserted => reply(out, record),
            Operation::Clash => {
                out.extend_from_slice(b": the packet was reassigned to the existing entry");
            }
            Operation::NotConfirmed => out.extend_from_slice(b", packet dropped"),
            Operation::Confirmed => {
                self.state(out, record.orig, record.state_after);
                out.extend_from_slice(b", ");
                self.left_of_entry(out, record);
                reply(out, record);
            }
            Operation::NotCreated => not_created(out, record),
            Operation::Created => {
                self.state(out, record.orig, record.state_after);
                out.extend_from_slice(b" with ");
                self.left_of_entry(out, record);
                agent = BY_USER_SPACE;
            }
            Operation::Refreshed => {
                out.extend_from_slice(b" to ");
                words::milliseconds(out, self.ticks.span_ms(record.refresh_jiffies) as i64);
            }
            Operation::ChangedTimeout => {
                self.changed_timeout(out, record);
                agent = BY_USER_SPACE;
            }
            Operation::Deleted(kind) => self.deleted_wide(out, record, kind),
            Operation::Destroyed => destroyed(out, record),
        }
        by(out, record, agent);
    }

    /// The kernel leaves a fixed timeout as it is.
    fn changed_timeout(&self, out: &mut Vec<u8>, record: &EntryRecord) {
        let (before, after) = (record.timeout_before_jiffies, record.timeout_after_jiffies);
        out.push(b' ');
        self.left(out, record.status_before, before, record.now_jiffies);
        out.extend_from_slice(" → ".as_bytes());
        self.left(out, record.status_after, after, record.now_jiffies);
        if record.status_after & status::FIXED_TIMEOUT != 0 {
            out.extend_from_slice(b", fixed");
        }
    }

    fn deleted_wide(&self, out: &mut Vec<u8>, record: &EntryRecord, kind: DeleteKind) {
        match kind {
            DeleteKind::DyingAlready => return,
            DeleteKind::Expired => {}
            DeleteKind::Netlink => out.extend_from_slice(b" over netlink"),
            DeleteKind::Early => out.extend_from_slice(b" early"),
        }
        if kind != DeleteKind::Expired {
            self.left_before(out, record);
        }
        self.state(out, record.orig, record.state_before);
        delivery(out, record);
    }

    /// A cause that belongs to no packet's and no entry's line.
    pub(super) fn cause(&self, out: &mut Vec<u8>, why: &Why) {
        let record = &why.record;
        let palette = &self.palette;
        palette.paint(out, palette.bad, why.cause.family().name().as_bytes());
        out.push(b' ');
        palette.paint(out, palette.bad, why.cause.name().as_bytes());
        words::zone(out, record.zone);
        if record.flags & CauseFlags::TASK != 0 {
            words::task(out, " by ", &record.comm, record.pid);
        }
    }

    pub(super) fn cause_wide(&self, out: &mut Vec<u8>, why: &Why) {
        let record = &why.record;
        let palette = &self.palette;
        palette.paint(out, palette.bad, why.cause.name().as_bytes());
        out.extend_from_slice(b": ");
        out.extend_from_slice(why.cause.meaning().as_bytes());
        trace_why::details(out, why);
        if record.flags & CauseFlags::TASK != 0 {
            words::task(out, " by ", &record.comm, record.pid);
        }
    }
}

/// ` by conntrack[12]`, or `unknown` if no task is known.
fn by(out: &mut Vec<u8>, record: &EntryRecord, unknown: &str) {
    if record.flags & EntryFlags::TASK != 0 {
        words::task(out, " by ", &record.comm, record.pid);
    } else {
        out.extend_from_slice(unknown.as_bytes());
    }
}

fn not_created(out: &mut Vec<u8>, record: &EntryRecord) {
    out.extend_from_slice(b": error ");
    bytes::number(out, -record.ret);
}

fn destroyed(out: &mut Vec<u8>, record: &EntryRecord) {
    out.extend_from_slice(b" after ");
    let lifetime_ns = record.time_ns.saturating_sub(record.birth_ns);
    words::milliseconds(out, (lifetime_ns / 1_000_000) as i64);
    if record.status_before & status::CONFIRMED == 0 {
        out.extend_from_slice(b", never confirmed");
    }
}

fn delivery(out: &mut Vec<u8>, record: &EntryRecord) {
    if record.flags & EntryFlags::RETURNED != 0 && record.ret == 0 {
        out.extend_from_slice(b", event not delivered");
    }
}

/// ` (early_drop)`.
fn cause(out: &mut Vec<u8>, why: Option<&Why>) {
    if let Some(why) = why {
        out.extend_from_slice(b" (");
        trace_why::brief(out, why);
        out.push(b')');
    }
}

/// The cause in prose: the kernel's reason for a drop, or the cause's meaning.
pub(super) fn explain(out: &mut Vec<u8>, why: &Why) {
    out.extend_from_slice(b": ");
    match &why.said {
        Some(said) => out.extend_from_slice(outside::shown(said.as_bytes()).as_bytes()),
        None => out.extend_from_slice(why.cause.meaning().as_bytes()),
    }
}

/// Which ends NAT translates: source, destination.
fn is_translated(orig: &Tuple, reply: &Tuple) -> (bool, bool) {
    let ports = proto::has_ports(orig.protonum);
    (
        orig.src != reply.dst || ports && orig.src_l4 != reply.dst_l4,
        orig.dst != reply.src || ports && orig.dst_l4 != reply.src_l4,
    )
}

/// `, SNAT to 192.0.2.1:1024`.
fn translation(out: &mut Vec<u8>, record: &EntryRecord) {
    let (orig, reply) = (Tuple::from_words(record.orig), Tuple::from_words(record.reply));
    let (source, destination) = is_translated(&orig, &reply);
    if source {
        out.extend_from_slice(b", SNAT to ");
        words::destination(out, &reply);
    }
    if destination {
        out.extend_from_slice(b", DNAT to ");
        words::source(out, &reply);
    }
}

/// The reply direction, if it is not the original one reversed.
fn reply(out: &mut Vec<u8>, record: &EntryRecord) {
    let (orig, reply) = (Tuple::from_words(record.orig), Tuple::from_words(record.reply));
    if is_translated(&orig, &reply) != (false, false) {
        out.extend_from_slice(b", replies ");
        words::ends(out, &reply);
    }
}
