//! An event of an entry as a JSON line.

use rsct_common::{
    Tuple,
    record::{EntryFlags, EntryKind, EntryRecord},
};

use super::{snapshot::Snapshot, task, tuple};
use crate::{
    flow::{Flow, delete_kind::DeleteKind},
    kernel::hz::Hz,
    render::{
        bytes,
        members::{number, word},
    },
};

/// Appends the line up to its cause.
pub(super) fn entry(out: &mut Vec<u8>, ticks: Hz, record: &EntryRecord, flow: Option<&Flow>) {
    let has = |flag| record.flags & flag != 0;
    let kind = EntryKind::from_byte(record.what);
    out.extend_from_slice(b"{\"type\":\"entry\"");
    word(out, b",\"event\":\"", kind.map_or("unknown", EntryKind::name));
    number(out, b",\"time_ns\":", record.time_ns);
    number(out, b",\"cpu\":", record.cpu);
    number(out, b",\"netns\":", record.netns);
    identity(out, record.ct, record.birth_ns, flow);
    tuple(out, b",\"orig\":{", record.orig);
    tuple(out, b",\"reply\":{", record.reply);
    number(out, b",\"zone\":", record.zone);
    number(out, b",\"mark\":", record.mark);
    let protonum = Tuple::from_words(record.orig).protonum;
    if kind != Some(EntryKind::AllocFailed) {
        let before = Snapshot {
            status: record.status_before,
            state: record.state_before,
            timeout: record.timeout_before_jiffies,
            now: record.now_jiffies,
        };
        before.write(out, b",\"before\":{", ticks, protonum);
    }
    if has(EntryFlags::RETURNED) {
        number(out, b",\"returned\":", record.ret);
        if record.status_after != 0 {
            let after = Snapshot {
                status: record.status_after,
                state: record.state_after,
                timeout: record.timeout_after_jiffies,
                now: record.now_jiffies,
            };
            after.write(out, b",\"after\":{", ticks, protonum);
        }
    }
    if has(EntryFlags::DURATION) {
        number(out, b",\"duration_ns\":", record.duration_ns);
    }
    match kind {
        Some(EntryKind::Delete) => {
            word(out, b",\"kind\":\"", DeleteKind::of(record).name());
            if record.portid != 0 {
                number(out, b",\"requester\":{\"portid\":", record.portid);
                out.push(b'}');
            }
        }
        Some(EntryKind::Destroy) => {
            number(
                out,
                b",\"lifetime_ns\":",
                record.time_ns.saturating_sub(record.birth_ns),
            );
        }
        Some(EntryKind::Refresh) => number(out, b",\"refresh_ms\":", ticks.span_ms(record.refresh_jiffies)),
        Some(EntryKind::Confirm) if has(EntryFlags::OTHER_ENTRY) => out.extend_from_slice(b",\"clash\":true"),
        _ => {}
    }
    if has(EntryFlags::TASK) {
        task(out, record.pid, &record.comm);
    }
}

/// The entry's address, and the flow that has it.
fn identity(out: &mut Vec<u8>, ct: u64, birth_ns: u64, flow: Option<&Flow>) {
    if ct != 0 {
        out.extend_from_slice(b",\"ct\":\"");
        bytes::hex(out, ct);
        number(out, b"\",\"birth_ns\":", birth_ns);
    }
    if let Some(flow) = flow {
        number(out, b",\"flow\":", flow.number);
        word(out, b",\"known_from\":\"", flow.known_from());
    }
}
