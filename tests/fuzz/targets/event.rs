//! A datagram as a listener receives it, with events of entries and of expectations.
#![no_main]

use std::ops::ControlFlow;

use libfuzzer_sys::fuzz_target;
use rsct::internals::{
    netlink::{event, expect, message::Messages},
    render::{
        self,
        entry::About,
        event_line::{Event, Requester},
    },
};
use rsct_fuzz::{NOW, show, show_expectation};

fuzz_target!(|datagram: &[u8]| {
    let mut count = 0;
    let ended = event::read(datagram, |event| {
        count += 1;
        let requester = Requester {
            portid: event.port,
            progname: Some(b"conntrack"),
        };
        let about = About {
            now: NOW,
            event: Some(Event::from(event.kind)),
            requester: Some(requester),
            ..About::default()
        };
        show(event.entry, &about);
        ControlFlow::Continue(())
    });
    let well = Messages::new(datagram).take_while(Result::is_ok).count();
    assert!(count <= well, "{count} events in {well} messages");
    if let Ok(flow) = ended {
        assert!(flow.is_continue());
    }
    for message in Messages::new(datagram).flatten() {
        if let Ok(Some(event)) = expect::Event::parse(&message) {
            let happened = render::expect::Happened {
                kind: event.kind,
                received_ns: 1,
                portid: event.portid,
            };
            show_expectation(
                &event.expectation,
                &render::expect::About {
                    happened: Some(happened),
                    ..Default::default()
                },
            );
        }
    }
});
