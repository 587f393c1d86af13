//! A collector that keeps no flows counts the same as one that does, from the kept recordings.

use super::{NAMES, replay::open};
use crate::{
    observe::{Consumer, Input, Selection, Want},
    snapshot::Collector,
    source::recorded::Window,
};

/// Both collectors, compared before and after each dump.
struct Both {
    name: &'static str,
    with: Collector,
    without: Collector,
    compared: usize,
    dumps: usize,
}

impl Both {
    fn compare(&mut self) {
        assert_eq!(
            self.with.population(),
            self.without.population(),
            "{} at dump {}",
            self.name,
            self.dumps
        );
        assert_eq!(self.with.totals(), self.without.totals(), "{}", self.name);
        let counts = |collector: &Collector| -> Vec<_> {
            let causes = collector.causes().iter();
            causes.map(|of| (of.cause.name(), of.count)).collect()
        };
        assert_eq!(counts(&self.with), counts(&self.without), "{}", self.name);
        self.compared += 1;
    }
}

impl Consumer for Both {
    fn take(&mut self, input: Input<'_>) {
        if matches!(input, Input::DumpBegins { .. }) && self.dumps > 0 {
            self.compare();
        }
        self.with.take(input);
        self.without.take(input);
        if matches!(input, Input::DumpEnds { .. }) {
            self.dumps += 1;
            self.compare();
        }
    }

    fn is_over(&self) -> bool {
        false
    }

    fn has_failed(&self) -> bool {
        false
    }

    fn lacks(&mut self) -> Option<Want> {
        None
    }
}

#[test]
fn no_flows_are_needed_to_count_entries() {
    for name in NAMES {
        let (mut files, start) = open(name);
        let collector = || Collector::new(&start.setup, Selection::default());
        let mut both = Both {
            name,
            with: collector(),
            without: collector().without_flows(0),
            compared: 0,
            dumps: 0,
        };
        files.run(&mut both, Window::default()).unwrap();
        assert!(both.compared >= 3, "{name}: compared {} times", both.compared);
        assert_eq!(both.without.model.table.flows().count(), 0, "{name}");
    }
}
