//! The fate of one flow, for people and as JSON.

use std::{fmt::Write as _, io::Write as _};

use rsct_common::Tuple;

use crate::{
    causes::Cause,
    flow::{TupleKey, delete_kind::DeleteKind},
    kernel::{interfaces::Names, netns::NetnsName},
    netlink::conntrack::Entry,
    schema::{
        common::{comm, name_of},
        tag,
        why_flow::FlowEnd,
    },
    timeouts::TimeoutSource,
    why::{
        flow::{Closing, Deletion},
        unreplied::{Diagnosis, Seen},
    },
};

use super::{
    bytes,
    entry::{About, View},
    timeout_source, why_unreplied, why_unreplied_json, words,
};

/// An existing entry: conntrack's line, and the source of its timeout.
pub(crate) fn entry(
    out: &mut Vec<u8>,
    entry: &Entry<'_>,
    netns: &NetnsName,
    source: Option<&TimeoutSource<'_>>,
) {
    let _ = write!(out, "netns {}: ", netns.name);
    View::default().entry(out, entry, &About::default());
    if let Some(source) = source {
        out.extend_from_slice(b"  ");
        timeout_source::left(out, entry, source);
        out.push(b'\n');
    }
}

/// The report on a flow at the end of the watch: one for each entry, or one if it has none.
#[derive(Clone, Copy, Debug)]
pub(crate) struct End<'a> {
    /// The entry, if there is one.
    pub key: Option<TupleKey>,
    /// The direction in the command line.
    pub orig: Tuple,
    /// The verdict.
    pub closing: Closing,
    /// Its packets, by hook and interface.
    pub seen: &'a [Seen],
    /// Why it is UNREPLIED, if it is.
    pub unreplied: Option<&'a Diagnosis>,
    /// Its last delete.
    pub deletion: Option<&'a Deletion>,
    /// The seconds left of its timeout.
    pub left_s: Option<u32>,
}

impl End<'_> {
    /// For people.
    pub(crate) fn text(&self, out: &mut Vec<u8>, names: &Names, now_ns: u64) {
        let tuple = self.key.map_or(self.orig, |key| Tuple::from_words(key.orig));
        words::tuple(out, &tuple);
        // Writing to a Vec cannot fail.
        if let Some(key) = self.key {
            let _ = write!(out, ", netns {}", names.netns(key.netns));
            if key.zone != 0 {
                let _ = write!(out, ", zone {}", key.zone);
            }
        }
        out.push(b'\n');
        why_unreplied::seen(out, self.seen, None, names, now_ns);
        let _ = writeln!(out, "  {}: {}", self.closing.name(), self.explanation());
        if let Some(answer) = self.unreplied {
            why_unreplied::conclusion(out, answer, names);
        } else if let Some(advice) = self.advice() {
            let _ = writeln!(out, "  what to do: {advice}");
        }
    }

    /// Why it was deleted before its timeout, if known.
    fn why(&self) -> Option<Cause> {
        let early = self.closing == Closing::Deleted(DeleteKind::Early);
        self.deletion.filter(|_| early).and_then(|deletion| deletion.why)
    }

    fn advice(&self) -> Option<&'static str> {
        self.why().map(Cause::advice).or_else(|| self.closing.advice())
    }

    /// An object.
    pub(crate) fn json(&self, out: &mut Vec<u8>, names: &Names) {
        let task = self.deletion.and_then(|deletion| deletion.task);
        let no_reply = self
            .unreplied
            .map(|answer| why_unreplied_json::no_reply(answer, names));
        let line = FlowEnd {
            r#type: tag::WhyFlow,
            netns: self.key.map(|key| key.netns.into()),
            netns_name: self.key.and_then(|key| name_of(names, key.netns)),
            zone: self.key.map(|key| key.zone),
            orig: self
                .key
                .map_or_else(|| (&self.orig).into(), |key| key.orig.into()),
            timeout_s: self.left_s,
            seen: why_unreplied_json::seen(self.seen, names),
            conclusion: self.closing.name().into(),
            explanation: self.explanation(),
            offload: match self.closing {
                Closing::Offloaded(offload) => Some(offload.name().into()),
                _ => None,
            },
            kind: match self.closing {
                Closing::Deleted(kind) => Some(kind.name().into()),
                _ => None,
            },
            cause: self.why().map(|cause| cause.name().into()),
            pid: task.map(|(_, pid)| pid),
            comm: task.map(|(name, _)| comm(&name)),
            advice: match no_reply {
                Some(_) => None,
                None => self.advice().map(Into::into),
            },
            no_reply,
        };
        bytes::json_line(out, &line);
    }

    fn explanation(&self) -> String {
        let mut text = self.closing.meaning().to_owned();
        if let Some(why) = self.why() {
            // Writing to a String cannot fail, here and below.
            let _ = write!(text, ", {}: {}", why.name(), why.meaning());
        }
        if let Some(left_s) = self.left_s {
            let _ = write!(text, "; {left_s}s left");
        }
        let deleted = matches!(self.closing, Closing::Deleted(_));
        if let Some((comm, pid)) = self
            .deletion
            .filter(|_| deleted)
            .and_then(|deletion| deletion.task)
        {
            let mut task = Vec::new();
            words::task(&mut task, " by ", &comm, pid);
            text.push_str(&String::from_utf8_lossy(&task));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::causes::delete::DeleteCause;

    #[test]
    fn an_early_delete_has_its_cause() {
        let key = TupleKey {
            netns: 7,
            zone: 0,
            orig: Tuple::default().to_words(),
        };
        let deletion = Deletion {
            key,
            kind: DeleteKind::Early,
            why: Some(Cause::Delete(DeleteCause::EarlyDrop)),
            task: None,
            flow: None,
        };
        let end = End {
            key: Some(key),
            orig: Tuple::default(),
            closing: Closing::Deleted(DeleteKind::Early),
            seen: &[],
            unreplied: None,
            deletion: Some(&deletion),
            left_s: None,
        };
        let mut out = Vec::new();
        end.text(&mut out, &Names::default(), 2);
        let told = String::from_utf8(out).unwrap();
        assert!(
            told.contains("before its timeout expired, early_drop: the table was full"),
            "{told}"
        );
        assert!(
            told.contains("what to do: raise net.netfilter.nf_conntrack_max"),
            "{told}"
        );
        let mut out = Vec::new();
        end.json(&mut out, &Names::default());
        let told: serde_json::Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(
            (&told["kind"], &told["cause"]),
            (&"early".into(), &"early_drop".into())
        );
    }
}
