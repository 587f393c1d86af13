//! A message about an expectation: read, shown in every form, written and read again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rsct::internals::{
    netlink::expect::{EventKind, Expectation},
    render::expect::{About, Happened},
};
use rsct_fuzz::{canonical, message, show_expectation};

fuzz_target!(|payload: &[u8]| {
    let Ok(expectation) = Expectation::parse(payload) else {
        return;
    };
    show_expectation(&expectation, &About::default());
    let happened = Happened {
        kind: EventKind::New,
        received_ns: 1_795_643_827_000_000_001,
        portid: 77,
    };
    show_expectation(
        &expectation,
        &About {
            happened: Some(happened),
            ..About::default()
        },
    );
    let written = message(|out| expectation.emit(out));
    let again = Expectation::parse(&written).expect("what is written can be read");
    assert_eq!(same(&again), same(&expectation));
    assert!(again.unknown().eq(expectation.unknown()));
    assert_eq!(message(|out| again.emit(out)), written);
});

/// The known parts of an expectation, as they are written.
fn same<'a>(expectation: &Expectation<'a>) -> impl PartialEq + std::fmt::Debug + use<'a> {
    let nat = expectation.nat;
    (
        [
            Some(expectation.tuple),
            Some(expectation.mask),
            Some(expectation.master),
            nat.map(|nat| nat.tuple),
        ]
        .map(|tuple| tuple.map(canonical)),
        nat.map(|nat| nat.dir),
        [
            expectation.timeout,
            expectation.id,
            expectation.flags,
            expectation.class,
        ],
        (expectation.zone, expectation.helper, expectation.function),
    )
}
