//! A thread plays the kernel, so that rare events can be tested.

use std::{os::unix::net::UnixDatagram, thread};

use super::*;
use crate::netlink::conntrack::samples;

const PORT: u32 = 4711;
const DONE: u16 = 3;
const ERROR: u16 = 2;
const OVERRUN: u16 = 4;
const DUMP_INTR: u16 = 16;

/// A message from the kernel, with the request's sequence number and the socket's port unless it is a stray.
#[derive(Clone)]
struct Message {
    kind: u16,
    flags: u16,
    payload: Vec<u8>,
    stray: bool,
}

fn message(kind: u16, flags: u16, payload: Vec<u8>) -> Message {
    Message {
        kind,
        flags,
        payload,
        stray: false,
    }
}

fn entry() -> Message {
    message(kind::NEW, 2, samples::TCP.payload())
}

fn done(flags: u16) -> Message {
    message(DONE, 2 | flags, vec![0; 4])
}

fn error(errno: i32) -> Message {
    message(ERROR, 0, [&(-errno).to_ne_bytes()[..], &[0; 16]].concat())
}

/// Answers each request with the next of the given lists of messages, two messages per datagram.
fn kernel(answers: Vec<Vec<Message>>) -> Socket {
    let (ours, theirs) = UnixDatagram::pair().unwrap();
    ours.set_nonblocking(true).unwrap();
    thread::spawn(move || {
        for answer in answers {
            let mut request = [0; 64];
            if theirs.recv(&mut request).unwrap() == 0 {
                return;
            }
            let sequence = u32::from_ne_bytes(request[8..12].try_into().unwrap());
            for messages in answer.chunks(2) {
                let datagram: Vec<u8> = messages.iter().flat_map(|m| bytes(m, sequence)).collect();
                // The other end may have been closed.
                let _ = theirs.send(&datagram);
            }
        }
        // Keep the socket open: a silent kernel must not look like a closed socket.
        thread::sleep(std::time::Duration::from_secs(5));
    });
    Socket::with_port(ours.into(), PORT).unwrap()
}

fn bytes(message: &Message, sequence: u32) -> Vec<u8> {
    let length = u32::try_from(16 + message.payload.len()).unwrap();
    let (sequence, port) = if message.stray {
        (sequence + 9, PORT)
    } else {
        (sequence, PORT)
    };
    let mut bytes = [
        length.to_ne_bytes(),
        [0; 4],
        sequence.to_ne_bytes(),
        port.to_ne_bytes(),
    ]
    .concat();
    bytes[4..6].copy_from_slice(&message.kind.to_ne_bytes());
    bytes[6..8].copy_from_slice(&message.flags.to_ne_bytes());
    bytes.extend(&message.payload);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

#[derive(Clone, Default)]
struct Taken {
    entries: u64,
    most: Option<u64>,
    cannot_forget: bool,
}

impl Sink for Taken {
    fn entry(&mut self, _: &Entry<'_>) -> ControlFlow<()> {
        self.entries += 1;
        if self.most == Some(self.entries) {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }

    fn restart(&mut self) -> bool {
        self.entries = 0;
        !self.cannot_forget
    }
}

/// Dumps both ways; the results must be equal.
fn dump(answers: Vec<Vec<Message>>, taken: &mut Taken) -> Result<Outcome, Error> {
    let runtime = crate::waiting::event_loop().unwrap();
    let mut taken_ahead = taken.clone();
    let ahead = runtime.block_on(async {
        let mut socket = kernel(answers.clone());
        begin(&mut socket, &Query::default())?
            .entries(&mut taken_ahead)
            .await
    });
    let outcome = runtime.block_on(async { entries(&mut kernel(answers), &Query::default(), taken).await });
    assert_eq!(format!("{ahead:?}"), format!("{outcome:?}"));
    assert_eq!(taken_ahead.entries, taken.entries);
    outcome
}

#[test]
fn a_dump_ends_with_done() {
    let mut taken = Taken::default();
    let outcome = dump(vec![vec![entry(), entry(), entry(), done(0)]], &mut taken).unwrap();
    assert_eq!((outcome.entries, taken.entries), (3, 3));
    assert_eq!(
        (outcome.interrupted, outcome.overrun, outcome.stopped),
        (0, 0, false)
    );
}

#[test]
fn an_incomplete_dump_is_repeated() {
    let interrupted = vec![
        entry(),
        message(kind::NEW, 2 | DUMP_INTR, samples::TCP.payload()),
        entry(),
        done(0),
    ];
    let at_the_end = vec![entry(), done(DUMP_INTR)];
    let overrun = vec![entry(), message(OVERRUN, 0, vec![]), entry(), done(0)];
    let mut taken = Taken::default();
    let answers = vec![interrupted, at_the_end, overrun, vec![entry(), entry(), done(0)]];
    let outcome = dump(answers, &mut taken).unwrap();
    assert_eq!((outcome.entries, taken.entries), (2, 2));
    assert_eq!((outcome.interrupted, outcome.overrun), (2, 1));
}

#[test]
fn a_table_that_keeps_changing_is_an_error() {
    let answers = vec![vec![entry(), done(DUMP_INTR)]; 20];
    let error = dump(answers, &mut Taken::default()).unwrap_err();
    assert!(
        matches!(error, Error::Interrupted { tries: MAX_TRIES }),
        "{error}"
    );
}

#[test]
fn a_sink_that_cannot_forget_gets_no_second_dump() {
    let mut taken = Taken {
        cannot_forget: true,
        ..Taken::default()
    };
    let error = dump(vec![vec![entry(), done(DUMP_INTR)]], &mut taken).unwrap_err();
    assert!(matches!(error, Error::Interrupted { tries: 1 }), "{error}");
}

#[test]
fn a_sink_can_end_the_dump() {
    let mut taken = Taken {
        most: Some(2),
        ..Taken::default()
    };
    let outcome = dump(vec![vec![entry(); 9]], &mut taken).unwrap();
    assert_eq!((outcome.entries, outcome.stopped), (2, true));
}

#[test]
fn unrelated_answers_are_skipped() {
    let stray = Message {
        stray: true,
        ..entry()
    };
    let end = Message {
        stray: true,
        ..done(0)
    };
    let outcome = dump(vec![vec![stray, entry(), end, done(0)]], &mut Taken::default()).unwrap();
    assert_eq!(outcome.entries, 1);
}

#[test]
fn a_refusal_includes_advice() {
    for (errno, sentence) in [
        (libc::EPERM, "CAP_NET_ADMIN"),
        (libc::EINVAL, "modprobe nf_conntrack_netlink"),
        (
            libc::ENOMEM,
            "dumping the conntrack table: Cannot allocate memory",
        ),
    ] {
        let error = dump(vec![vec![error(errno)]], &mut Taken::default())
            .unwrap_err()
            .to_string();
        assert!(error.contains(sentence), "{error}");
    }
}

#[test]
fn malformed_messages_are_errors() {
    let cut = message(kind::NEW, 2, samples::TCP.payload()[..50].to_vec());
    let failed = dump(vec![vec![cut]], &mut Taken::default()).unwrap_err();
    assert!(matches!(failed, Error::Decode(_)), "{failed}");
    let failed = dump(vec![vec![message(ERROR, 0, vec![])]], &mut Taken::default()).unwrap_err();
    assert!(matches!(failed, Error::Envelope(_)), "{failed}");
}

#[test]
fn many_chunks_arrive_in_order() {
    struct Ports(Vec<u16>);
    impl Sink for Ports {
        fn entry(&mut self, entry: &Entry<'_>) -> ControlFlow<()> {
            self.0.push(entry.orig.src_port());
            ControlFlow::Continue(())
        }

        fn restart(&mut self) -> bool {
            false
        }
    }
    // Two per datagram: some megabytes in all.
    let count = 20_000;
    let answer = (0..count).map(|number: u16| {
        let mut payload = samples::TCP.payload();
        // Offset of the original direction's source port.
        payload[44..46].copy_from_slice(&number.to_be_bytes());
        message(kind::NEW, 2, payload)
    });
    let answer: Vec<Message> = answer.chain([done(0)]).collect();
    let runtime = crate::waiting::event_loop().unwrap();
    let mut ports = Ports(Vec::new());
    let outcome = runtime.block_on(async {
        let mut socket = kernel(vec![answer]);
        begin(&mut socket, &Query::default())?.entries(&mut ports).await
    });
    assert_eq!(outcome.unwrap().entries, u64::from(count));
    assert!(ports.0.into_iter().eq(0..count));
}

#[test]
fn dropping_ends_a_thread_that_waits_for_the_kernel() {
    let mut taken = Taken {
        most: Some(1),
        ..Taken::default()
    };
    let start = std::time::Instant::now();
    let outcome = dump(vec![vec![entry()]], &mut taken).unwrap();
    assert!(outcome.stopped);
    // The kernel's silence lasts longer.
    assert!(start.elapsed() < std::time::Duration::from_secs(3));
}
