//! A datagram of netlink messages.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rsct::internals::netlink::message::{Body, Messages};

const HEADER_BYTES: usize = 16;

fuzz_target!(|datagram: &[u8]| {
    let mut messages = Messages::new(datagram);
    let mut read = 0;
    for message in &mut messages {
        let Ok(message) = message else {
            break;
        };
        read += HEADER_BYTES;
        if let Body::Data { payload, .. } = message.body {
            let place = payload.as_ptr() as usize - datagram.as_ptr() as usize;
            assert_eq!(place, read, "a payload follows its header");
            read += payload.len();
        }
        assert!(read <= datagram.len(), "{read} bytes of {}", datagram.len());
        // The offset of the next message depends on the payload's length, which other kinds do not expose.
        if !matches!(message.body, Body::Data { .. }) {
            return;
        }
        read = read.next_multiple_of(4);
    }
    assert!(messages.next().is_none(), "nothing follows an error or the end");
});
