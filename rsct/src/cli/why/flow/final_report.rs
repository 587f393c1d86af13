//! What became of the flow.

use rsct_common::Tuple;

use super::super::{common::Watched, lookup::Found};
use crate::{
    cli::shared_args::TextOrJson,
    flow::{Flow, TupleKey, tuples::headers},
    names::status,
    observe::Observation,
    render::why_flow::End,
    why::{
        flow::{FlowFacts, FlowObserver},
        unreplied::{Index, Subject},
        words::NamedFlow,
    },
};

/// The report at the end.
pub(super) struct FinalReport<'a> {
    pub(super) named: &'a NamedFlow,
    /// Inode numbers of the selected namespaces; none for all.
    pub(super) selected: Option<Vec<u32>>,
    pub(super) before: &'a [Found],
    pub(super) after: &'a [Found],
    pub(super) elsewhere: &'a [Found],
    pub(super) watched: &'a Watched,
}

impl FinalReport<'_> {
    /// Writes what became of each entry.
    pub(super) fn write<W: FnMut(&mut Vec<u8>, Observation<'_>)>(
        &self,
        out: &mut Vec<u8>,
        watching: &FlowObserver<W>,
        format: TextOrJson,
    ) {
        let now_ns = self.watched.now_ns;
        if format == TextOrJson::Text && watching.lines != 0 {
            out.push(b'\n');
        }
        let index = Index::of(&watching.watching.sightings);
        let keys = self.keys(watching);
        for (number, key) in keys.iter().enumerate() {
            if format == TextOrJson::Text && number != 0 {
                out.push(b'\n');
            }
            let found = self.after.iter().find(|found| found.key == *key);
            let deletion = watching.deletions.iter().rfind(|deletion| deletion.key == *key);
            let answer = self
                .flow(key)
                .or_else(|| deletion.and_then(|deletion| deletion.flow))
                .map(|flow| index.judge(Subject { flow, ended: None }));
            let seen = answer.as_ref().map_or(&[][..], |answer| &answer.seen);
            let before = self.before.iter().find(|found| found.key == *key);
            let known = FlowFacts {
                status: found.map(|found| found.status),
                was_there: before.is_some(),
                ran_out: before.is_some_and(|found| found.ran_out(now_ns)),
                deleted: deletion.map(|deletion| deletion.kind),
                elsewhere: false,
            };
            let end = End {
                key: Some(*key),
                orig: self.named.orig,
                closing: known.closing(seen, false),
                seen,
                unreplied: answer.as_ref().filter(|_| is_unreplied(found)),
                deletion,
                left_s: found.and_then(|found| found.left_s),
            };
            write_end(out, &end, self.watched, now_ns, format);
        }
        if keys.is_empty() {
            let seen = watching
                .tuples
                .seen_in(&watching.watching.sightings, &self.named.orig);
            let (here, there): (Vec<_>, Vec<_>) = seen
                .iter()
                .copied()
                .partition(|seen| self.is_selected(seen.group.place.netns));
            let known = FlowFacts {
                elsewhere: !self.elsewhere.is_empty()
                    || self.before.iter().chain(self.after).next().is_some(),
                ..FlowFacts::default()
            };
            let end = End {
                key: None,
                orig: self.named.orig,
                closing: known.closing(&here, !there.is_empty()),
                seen: &seen,
                unreplied: None,
                deletion: None,
                left_s: None,
            };
            write_end(out, &end, self.watched, now_ns, format);
        }
    }

    fn is_selected(&self, netns: u32) -> bool {
        self.selected
            .as_ref()
            .is_none_or(|selected| selected.contains(&netns))
    }

    /// The flow's entries: at the start, at the end, and those deleted in between.
    fn keys<W>(&self, watching: &FlowObserver<W>) -> Vec<TupleKey> {
        let mut keys: Vec<TupleKey> = Vec::new();
        let found = self.before.iter().chain(self.after).map(|found| found.key);
        let wanted = headers(self.named.orig);
        let deleted = watching.deletions.iter().filter(|deletion| {
            let reply = deletion.flow.and_then(|flow| flow.reply_tuple());
            headers(Tuple::from_words(deletion.key.orig)) == wanted
                || reply.is_some_and(|reply| headers(reply) == wanted)
        });
        for key in found.chain(deleted.map(|deletion| deletion.key)) {
            let in_zone = self.named.zone.is_none_or(|zone| zone == key.zone);
            if in_zone && self.is_selected(key.netns) && !keys.contains(&key) {
                keys.push(key);
            }
        }
        keys
    }

    fn flow(&self, key: &TupleKey) -> Option<Flow> {
        let is_it = |flow: &&Flow| flow.netns == key.netns && flow.zone == key.zone && flow.orig == key.orig;
        self.watched.model.table.flows().find(is_it).copied()
    }
}

fn is_unreplied(found: Option<&Found>) -> bool {
    found.is_some_and(|found| found.status & status::SEEN_REPLY == 0)
}

fn write_end(out: &mut Vec<u8>, end: &End<'_>, watched: &Watched, now_ns: u64, format: TextOrJson) {
    match format {
        TextOrJson::Text => end.text(out, &watched.names, now_ns),
        TextOrJson::Json => end.json(out, &watched.names),
    }
}
