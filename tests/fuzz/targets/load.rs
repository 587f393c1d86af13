//! A line of a file for `rsct load`: it is written as the kernel accepts it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rsct::internals::{labels::LabelMap, load, netlink::conntrack::Change};
use rsct_fuzz::message;

fuzz_target!(|line: &str| {
    let names = LabelMap::parse(b"3 from-the-office\n64 night shift\n");
    let line = match load::parse(line, &names) {
        Ok(Some(line)) => line,
        Ok(None) => return,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    let meanings = [
        line.spec.new_entry(),
        line.spec.changed_entry(),
        line.spec.named_entry(),
    ];
    for change in meanings.iter().flatten() {
        let written = message(|out| change.emit(out));
        let read = Change::parse(&written[4..]).expect("what is written can be read");
        assert_eq!((read.timeout, read.mark), (change.timeout, change.mark));
        assert_eq!(
            (read.labels, read.labels_mask),
            (change.labels, change.labels_mask)
        );
        assert_eq!((read.status, read.zone), (change.status, change.zone));
    }
});
