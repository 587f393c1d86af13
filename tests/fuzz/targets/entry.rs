//! A message about an entry: read, shown in every form, written and read again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rsct::internals::{netlink::conntrack::Entry, render::entry::About};
use rsct_fuzz::{NOW, canonical, message, show};

fuzz_target!(|payload: &[u8]| {
    let Ok(entry) = Entry::parse(payload) else {
        return;
    };
    show(
        &entry,
        &About {
            now: NOW,
            ..About::default()
        },
    );
    assert_eq!(
        entry.label_bits().count(),
        entry.labels.map_or(0, |labels| labels[..labels.len() / 4 * 4]
            .iter()
            .map(|byte| byte.count_ones() as usize)
            .sum())
    );
    let written = message(|out| entry.emit(out));
    let again = Entry::parse(&written).expect("what is written can be read");
    assert_eq!(same(&again), same(&entry));
    assert!(again.unknown().eq(entry.unknown()));
    assert_eq!(message(|out| again.emit(out)), written);
});

/// The known parts of an entry, as they are written.
fn same<'a>(entry: &Entry<'a>) -> impl PartialEq + std::fmt::Debug + use<'a> {
    (
        [Some(entry.orig), Some(entry.reply), entry.master].map(|tuple| tuple.map(canonical)),
        [entry.zone, entry.zone_orig, entry.zone_reply],
        [
            entry.status,
            entry.timeout,
            entry.mark,
            entry.use_count,
            entry.id,
            entry.secmark,
        ],
        (entry.protoinfo, entry.synproxy),
        [entry.counters_orig, entry.counters_reply],
        (entry.timestamps, entry.event_ns),
        (entry.secctx, entry.helper, entry.labels),
        [entry.seqadj_orig, entry.seqadj_reply],
    )
}
