//! A cause in a trace: at the end of the line that it explains, or on a line of its own.

use std::io::Write as _;

use rsct_common::{Tuple, record::CauseFlags};

use crate::{
    causes::Why,
    outside,
    schema::{
        common::Task,
        tag,
        trace::{self, CauseAlone},
    },
};

use super::bytes::{self, json_line, json_object};

/// At the end of a line for people: `; seq_over: SEQ is over upper bound %u, 5000 misses the bound 2000 by 3000 bytes`.
pub(crate) fn text(out: &mut Vec<u8>, why: Option<&Why>) {
    if let Some(why) = why {
        out.extend_from_slice(b"; ");
        out.extend_from_slice(why.cause.name().as_bytes());
        details(out, why);
    }
}

/// The name, and the bytes by which a window was missed: `seq_over 3000 bytes`.
pub(crate) fn brief(out: &mut Vec<u8>, why: &Why) {
    out.extend_from_slice(why.cause.name().as_bytes());
    if let Some(miss) = why.miss {
        out.push(b' ');
        bytes::number(out, miss.bytes);
        out.extend_from_slice(b" bytes");
    }
}

/// Everything but the cause's name.
pub(crate) fn details(out: &mut Vec<u8>, why: &Why) {
    if let Some(said) = &why.said {
        let _ = write!(out, ": {}", outside::shown(said.as_bytes()));
    }
    if let Some(miss) = why.miss {
        let _ = write!(
            out,
            ", {} misses the bound {} by {} bytes",
            miss.value, miss.bound, miss.bytes
        );
    }
    if let Some(caller) = why.callers.first() {
        let _ = write!(out, " ({caller})");
    }
}

/// The last member of a JSON line: `,"why":{…}`.
#[inline(always)]
pub(crate) fn member(out: &mut Vec<u8>, why: Option<&Why>) {
    if let Some(why) = why {
        out.extend_from_slice(b",\"why\":");
        json_object(out, &value(why));
    }
}

/// A JSON line of its own.
pub(crate) fn line(out: &mut Vec<u8>, why: &Why) {
    let record = &why.record;
    let orig = Tuple::from_words(record.tuple);
    let has_task = record.flags & CauseFlags::TASK != 0;
    let line = CauseAlone {
        r#type: tag::Cause,
        time_ns: record.time_ns,
        cpu: record.cpu.into(),
        netns: record.netns.into(),
        orig: (orig != Tuple::default()).then(|| (&orig).into()),
        task: has_task.then(|| Task::of(record.pid, &record.comm)),
        why: value(why),
        late: false,
    };
    json_line(out, &line);
}

fn value(why: &Why) -> trace::Why {
    trace::Why {
        cause_family: why.cause.family().name().into(),
        cause: why.cause.name().into(),
        message: why.said.clone(),
        out_of_window: why.miss.map(Into::into),
        callers: why.callers.clone(),
    }
}
