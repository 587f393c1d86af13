//! A known policy: its values, and its names from the timeout objects of its namespace.

use rsct_common::record::PolicyRecord;

use crate::{observe::TimeoutObject, timeouts::Spans};

/// A policy of a namespace. An entry points to its values, which have no pointer to its name: the names are those of all
/// timeout objects with the same values.
#[derive(Debug)]
pub(super) struct KnownPolicy {
    pub(super) names: Vec<String>,
    pub(super) of_nftables: bool,
    pub(super) spans: Spans,
    l3num: u16,
    l4proto: u8,
    pub(super) netns: u32,
    /// Its names were looked for.
    is_named: bool,
    /// When it was wanted last.
    pub(super) wanted_ns: u64,
    pub(super) has_ended: bool,
}

impl KnownPolicy {
    /// Of a record, without names.
    pub(super) fn of(record: &PolicyRecord, spans: Spans, now_ns: u64) -> Self {
        Self {
            names: Vec::new(),
            of_nftables: false,
            spans,
            l3num: record.l3num,
            l4proto: record.l4proto,
            netns: record.netns,
            is_named: false,
            wanted_ns: now_ns,
            has_ended: false,
        }
    }

    /// Names it after the objects of its namespace, or reads its values again: it may have been replaced under its name, or
    /// deleted without a record.
    pub(super) fn read(&mut self, objects: &[TimeoutObject]) {
        if self.has_ended {
            return;
        }
        if self.is_named {
            let is_it = |object: &&TimeoutObject| {
                object.is_for(self.l3num, self.l4proto) && self.names.contains(&object.name)
            };
            match objects.iter().find(is_it) {
                Some(found) => self.spans = found.spans(),
                None => self.has_ended = !self.names.is_empty(),
            }
            return;
        }
        self.is_named = true;
        let is_alike = |object: &&TimeoutObject| {
            object.is_for(self.l3num, self.l4proto) && object.has_values(&self.spans)
        };
        let alike: Vec<&TimeoutObject> = objects.iter().filter(is_alike).collect();
        self.of_nftables = !alike.is_empty() && alike.iter().all(|object| object.of_nftables);
        for object in alike {
            if !self.names.contains(&object.name) {
                self.names.push(object.name.clone());
            }
        }
    }
}
