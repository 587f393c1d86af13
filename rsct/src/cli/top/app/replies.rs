//! Entries whose reply direction is looked up: a flow that has sent only packets of an older entry has none.

use std::collections::{HashSet, VecDeque};

use crate::{causes::tally::FlowName, flow::TupleKey, render::top::opened, snapshot::Collector};

/// Entries that are remembered as looked up.
const MOST: usize = 4096;

/// The entries to be looked up, each once.
#[derive(Debug, Default)]
pub(super) struct Replies {
    waiting: VecDeque<TupleKey>,
    requested: HashSet<TupleKey>,
}

impl Replies {
    /// A flow is shown.
    pub(super) fn need(&mut self, flow: &FlowName, of: &Collector) {
        if let Some(key) = opened::without_reply(flow, of) {
            self.request(key);
        }
    }

    fn request(&mut self, key: TupleKey) {
        if self.requested.len() >= MOST {
            self.requested.clear();
        }
        if self.requested.insert(key) {
            self.waiting.push_back(key);
        }
    }

    /// The next entry to be looked up.
    pub(super) fn next(&mut self) -> Option<TupleKey> {
        self.waiting.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_entry_is_looked_up_once() {
        let key = |number| TupleKey {
            netns: 1,
            zone: 0,
            orig: [number; 5],
        };
        let mut replies = Replies::default();
        for number in [1, 2, 1, 1] {
            replies.request(key(number));
        }
        assert_eq!(
            [(); 3].map(|()| replies.next()),
            [Some(key(1)), Some(key(2)), None]
        );
        replies.request(key(2));
        assert_eq!(replies.next(), None);
    }
}
