//! The namespaces that have a label of their own: a bounded number over the whole life of the process, so that namespaces which are
//! created and deleted all the time do not make new series.

use std::collections::{HashMap, HashSet};

/// The labels of namespaces, with `--netns all`.
pub(crate) const MOST: usize = 32;
/// A namespace that did not exist at the start gets a label after this time.
const SETTLED_NS: u64 = 60_000_000_000;
/// The label of all others.
pub(crate) const OTHER: &str = "other";

/// A namespace's label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Label {
    /// One of its own, by number.
    Own(usize),
    /// That of all others.
    Other,
}

/// The labels given so far.
#[derive(Debug, Default)]
pub(crate) struct Namespaces {
    names: Vec<String>,
    by_inode: HashMap<u32, Label>,
    /// When a namespace without a label of its own was seen first.
    seen_ns: HashMap<u32, u64>,
    has_begun: bool,
    is_single: bool,
}

impl Namespaces {
    /// Of the only namespace, whose label is this; an empty one is no label.
    pub(crate) fn single(label: &str) -> Self {
        Self {
            names: vec![label.to_owned()],
            is_single: true,
            ..Self::default()
        }
    }

    /// Of all namespaces.
    pub(crate) fn all() -> Self {
        Self::default()
    }

    /// The largest number of labels, with that of all others.
    pub(crate) fn most(&self) -> u64 {
        match self.is_single {
            true => 1,
            false => MOST as u64 + 1,
        }
    }

    /// The namespaces that exist now, by inode number and name. Returns those that got a label of their own.
    pub(crate) fn exist<'a>(
        &mut self,
        now_ns: u64,
        present: impl Iterator<Item = (u32, &'a str)>,
    ) -> HashSet<u32> {
        let mut new = HashSet::new();
        let before = std::mem::take(&mut self.by_inode);
        let seen_ns = std::mem::take(&mut self.seen_ns);
        for (inode, name) in present {
            let label = match before.get(&inode) {
                _ if self.is_single => Label::Own(0),
                Some(own @ Label::Own(_)) => *own,
                _ => {
                    let first_ns = seen_ns.get(&inode).copied().unwrap_or(now_ns);
                    let is_settled = !self.has_begun || now_ns - first_ns >= SETTLED_NS;
                    let label = self.label_of(name, is_settled);
                    if label == Label::Other {
                        self.seen_ns.insert(inode, first_ns);
                    } else {
                        new.insert(inode);
                    }
                    label
                }
            };
            self.by_inode.insert(inode, label);
        }
        self.has_begun = true;
        new
    }

    fn label_of(&mut self, name: &str, is_settled: bool) -> Label {
        // A namespace that is created again under its name continues the series.
        if let Some(known) = self.names.iter().position(|of| of == name) {
            return Label::Own(known);
        }
        if !is_settled || self.names.len() == MOST || name == OTHER {
            return Label::Other;
        }
        self.names.push(name.to_owned());
        Label::Own(self.names.len() - 1)
    }

    /// The label of a namespace.
    pub(crate) fn of(&self, inode: u32) -> Label {
        match self.is_single {
            true => Label::Own(0),
            false => self.by_inode.get(&inode).copied().unwrap_or(Label::Other),
        }
    }

    /// The text of a label.
    pub(crate) fn text(&self, label: Label) -> &str {
        match label {
            Label::Own(index) => self.names.get(index).map_or(OTHER, String::as_str),
            Label::Other => OTHER,
        }
    }

    /// The number of namespaces that exist.
    pub(crate) fn count(&self) -> usize {
        self.by_inode.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_namespace_that_is_created_every_second_makes_no_series() {
        let mut all = Namespaces::all();
        all.exist(0, [(1, "host"), (2, "red")].into_iter());
        for second in 1..1000_u32 {
            let name = format!("short-{second}");
            let present = [(1, "host"), (2, "red"), (1000 + second, name.as_str())];
            let new = all.exist(u64::from(second) * 1_000_000_000, present.into_iter());
            assert!(new.is_empty());
            assert_eq!(all.of(1000 + second), Label::Other);
        }
        assert_eq!(all.names, ["host", "red"]);
        assert_eq!(all.seen_ns.len(), 1);
        assert_eq!((all.of(1), all.text(all.of(2))), (Label::Own(0), "red"));
    }

    #[test]
    fn a_namespace_that_stays_gets_a_label_and_keeps_it_by_name() {
        let mut all = Namespaces::all();
        all.exist(0, [(1, "host")].into_iter());
        all.exist(1, [(1, "host"), (2, "late")].into_iter());
        assert_eq!(all.of(2), Label::Other);
        let new = all.exist(1 + SETTLED_NS, [(1, "host"), (2, "late")].into_iter());
        assert_eq!((all.text(all.of(2)), new.contains(&2)), ("late", true));
        // Deleted and created again.
        all.exist(2 + SETTLED_NS, [(1, "host")].into_iter());
        assert_eq!(all.of(2), Label::Other);
        all.exist(3 + SETTLED_NS, [(1, "host"), (9, "late")].into_iter());
        assert_eq!(all.of(9), Label::Own(1));
    }

    #[test]
    fn the_number_of_labels_is_bounded() {
        let mut all = Namespaces::all();
        let names: Vec<String> = (0..100).map(|number| format!("n{number}")).collect();
        let present = || (0..).zip(names.iter().map(String::as_str));
        all.exist(0, present());
        all.exist(2 * SETTLED_NS, present());
        assert_eq!(all.names.len(), MOST);
        assert_eq!(all.text(all.of(99)), OTHER);
        assert_eq!(all.most(), 33);
        assert_eq!(Namespaces::single("").most(), 1);
    }
}
