//! The windows of opened flows and causes, from the kept recordings.

use super::{is_kept, replay::open};
use crate::{
    observe::Selection,
    render::top::opened,
    report::Gathered,
    snapshot::{Collector, Snapshot},
    source::recorded::Window,
};

#[test]
fn opened_flows_and_causes_are_those_that_are_kept() {
    let mut shown = String::new();
    for name in ["delete", "udp", "invalid"] {
        let (mut files, start) = open(name);
        let collector = Collector::new(&start.setup, Selection::default()).with_history();
        let mut gathered = Gathered::new(collector, start.names.clone());
        files.run(&mut gathered, Window::default()).unwrap();
        let (earlier, now) = (Snapshot::default(), gathered.snapshot());
        let interval = now.since(&earlier);
        for (flow, _) in interval.flows(2, |figures| figures.packets) {
            let text = opened::flow(&flow, &gathered.names, &gathered.collector);
            shown += &format!("--- {name}, a flow\n{}\n", text.trim_end());
        }
        for (of, _) in interval.causes().into_iter().take(2) {
            let text = opened::cause(of.cause, &interval, &gathered.names, &gathered.collector);
            shown += &format!("--- {name}, a cause\n{}\n", text.trim_end());
        }
    }
    is_kept("opened", "txt", &shown);
}
