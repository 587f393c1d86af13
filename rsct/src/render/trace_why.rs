//! A cause in a trace: at the end of the line that it explains, or on a line of its own.

use std::io::Write as _;

use rsct_common::{Tuple, record::CauseFlags};
use serde_json::{Value, json};

use crate::{causes::Why, flow::names, outside};

use super::{bytes, why_json};

/// At the end of a line for people: `; seq_over: SEQ is over upper bound %u, 5000 misses the bound 2000 by 3000 bytes`.
pub fn text(out: &mut Vec<u8>, why: Option<&Why>) {
    if let Some(why) = why {
        out.extend_from_slice(b"; ");
        out.extend_from_slice(why.cause.name().as_bytes());
        details(out, why);
    }
}

/// The name, and the bytes by which a window was missed: `seq_over 3000 bytes`.
pub fn brief(out: &mut Vec<u8>, why: &Why) {
    out.extend_from_slice(why.cause.name().as_bytes());
    if let Some(miss) = why.miss {
        out.push(b' ');
        bytes::number(out, miss.bytes);
        out.extend_from_slice(b" bytes");
    }
}

/// Everything but the cause's name.
pub fn details(out: &mut Vec<u8>, why: &Why) {
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
pub fn member(out: &mut Vec<u8>, why: Option<&Why>) {
    if let Some(why) = why {
        out.extend_from_slice(b",\"why\":");
        bytes::json_object(out, &value(why));
    }
}

/// A JSON line of its own, without its closing brace.
pub fn object(out: &mut Vec<u8>, why: &Why) {
    let record = &why.record;
    let _ = write!(
        out,
        "{{\"type\":\"cause\",\"time_ns\":{},\"cpu\":{},\"netns\":{}",
        record.time_ns, record.cpu, record.netns
    );
    let orig = Tuple::from_words(record.tuple);
    if orig != Tuple::default() {
        let _ = write!(out, ",\"orig\":{}", why_json::tuple(&orig));
    }
    if record.flags & CauseFlags::TASK != 0 {
        let comm = json!(String::from_utf8_lossy(names::comm(&record.comm)));
        let _ = write!(out, ",\"pid\":{},\"comm\":{comm}", record.pid);
    }
    member(out, Some(why));
}

fn value(why: &Why) -> Value {
    let mut object = json!({
        "family": why.cause.family().name(),
        "cause": why.cause.name(),
    });
    if let Some(said) = &why.said {
        object["said"] = json!(said);
    }
    if let Some(miss) = why.miss {
        object["window"] = json!({"value": miss.value, "bound": miss.bound, "missed_bytes": miss.bytes});
    }
    if !why.callers.is_empty() {
        object["callers"] = json!(why.callers);
    }
    object
}
