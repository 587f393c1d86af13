//! The tests play the kernel, so that rare events can be tested. As with the kernel, the answers are queued
//! once a datagram has been sent.

use std::os::unix::net::UnixDatagram;

use proptest::prelude::*;

use super::*;

const PORT: u32 = 4711;
const ERROR: u16 = 2;
const OVERRUN: u16 = 4;

/// A message from the kernel.
#[derive(Clone, Debug)]
struct Reply {
    kind: u16,
    sequence: u32,
    port: u32,
    payload: Vec<u8>,
}

/// The answer to the request with this number: an errno, or 0 for success.
fn answer(sequence: u32, errno: i32) -> Reply {
    Reply {
        kind: ERROR,
        sequence,
        port: PORT,
        payload: [&(-errno).to_ne_bytes()[..], &[0; 16]].concat(),
    }
}

fn overrun() -> Reply {
    Reply {
        kind: OVERRUN,
        payload: Vec::new(),
        ..answer(0, 0)
    }
}

fn bytes(message: &Reply) -> Vec<u8> {
    let length = u32::try_from(16 + message.payload.len()).unwrap();
    let mut bytes = length.to_ne_bytes().to_vec();
    bytes.extend(message.kind.to_ne_bytes());
    bytes.extend([0, 0]);
    bytes.extend(message.sequence.to_ne_bytes());
    bytes.extend(message.port.to_ne_bytes());
    bytes.extend(&message.payload);
    bytes
}

/// A socket and the kernel's end of it.
struct Session {
    socket: Socket,
    kernel: UnixDatagram,
    batch: Batch<u32>,
}

impl Session {
    /// Makes the first request use the number after this one.
    fn from(sequence: u32) -> Self {
        let (ours, kernel) = UnixDatagram::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        let mut socket = Socket::with_port(ours.into(), PORT).unwrap();
        socket.set_last_sequence(sequence);
        Self {
            batch: Batch::new(&socket).unwrap(),
            socket,
            kernel,
        }
    }

    /// Sends `count` deletions, which the kernel answers with `replies`, two messages per datagram; returns
    /// the outcome of each with its index.
    async fn send(&mut self, count: u32, replies: &[Reply]) -> (Result<(), Error>, Vec<(u32, String)>) {
        for messages in replies.chunks(2) {
            let datagram: Vec<u8> = messages.iter().flat_map(bytes).collect();
            self.kernel.send(&datagram).unwrap();
        }
        for index in 0..count {
            let change = Change::default();
            self.batch
                .push(&mut self.socket, Operation::Delete, &change, index);
        }
        let mut outcomes = Vec::new();
        let ended = self.batch.send(&mut self.socket, |index, outcome| {
            outcomes.push((index, summary(outcome)));
        });
        (ended.await, outcomes)
    }
}

fn summary(outcome: Result<(), Error>) -> String {
    match outcome {
        Ok(()) => "done".to_owned(),
        Err(Error::NotPermitted { .. }) => "not permitted".to_owned(),
        Err(Error::Unanswered { .. }) => "unknown".to_owned(),
        Err(Error::Refused { source, .. }) => source.raw_os_error().unwrap().to_string(),
        Err(error) => panic!("{error}"),
    }
}

fn block_on<T>(session: impl Future<Output = T>) -> T {
    let runtime = crate::waiting::event_loop().unwrap();
    runtime.block_on(session)
}

/// The outcomes of `count` requests, the first of which has number 1, for these answers.
fn outcomes(count: u32, replies: &[Reply]) -> Vec<(u32, String)> {
    let (ended, outcomes) = block_on(async { Session::from(0).send(count, replies).await });
    ended.unwrap();
    outcomes
}

fn indexed(outcomes: &[&str]) -> Vec<(u32, String)> {
    (0..)
        .zip(outcomes.iter().map(|outcome| (*outcome).to_owned()))
        .collect()
}

#[test]
fn unanswered_requests_before_the_acknowledgement_succeeded() {
    assert_eq!(outcomes(3, &[answer(3, 0)]), indexed(&["done"; 3]));
    assert_eq!(outcomes(1, &[answer(1, 0)]), indexed(&["done"]));
    assert_eq!(outcomes(0, &[]), []);
}

#[test]
fn refusals_are_reported_in_order() {
    let replies = [
        answer(2, libc::EEXIST),
        answer(3, libc::ENOENT),
        answer(5, libc::EBUSY),
        answer(6, 0),
    ];
    assert_eq!(
        outcomes(6, &replies),
        indexed(&["done", "17", "2", "done", "16", "done"])
    );
    assert_eq!(outcomes(2, &[answer(2, libc::ENOENT)]), indexed(&["done", "2"]));
}

#[test]
fn only_the_last_request_has_the_ack_flag() {
    block_on(async {
        let mut session = Session::from(0);
        session.send(3, &[answer(3, 0)]).await.0.unwrap();
        let mut datagram = [0; 256];
        let length = session.kernel.recv(&mut datagram).unwrap();
        let flags: Vec<u16> = Messages::new(&datagram[..length])
            .map(|m| m.unwrap().flags)
            .collect();
        assert_eq!(flags, [1, 1, 5]);
    });
}

#[test]
fn unrelated_answers_are_skipped() {
    let replies = [
        answer(9, libc::EEXIST),
        Reply {
            port: PORT + 1,
            ..answer(1, libc::EEXIST)
        },
        Reply {
            kind: 0x100,
            ..answer(1, 0)
        },
        Reply {
            kind: 1,
            ..answer(1, 0)
        },
        answer(0, libc::EEXIST),
        answer(2, libc::EEXIST),
        // A duplicate answer.
        answer(2, libc::EEXIST),
        answer(1, libc::EEXIST),
        answer(3, 0),
    ];
    assert_eq!(outcomes(3, &replies), indexed(&["done", "17", "done"]));
}

#[test]
fn after_a_loss_unanswered_requests_are_unknown() {
    let replies = [
        answer(2, libc::EEXIST),
        overrun(),
        answer(4, libc::EEXIST),
        answer(6, 0),
    ];
    let expected = ["done", "17", "unknown", "17", "unknown", "done"];
    assert_eq!(outcomes(6, &replies), indexed(&expected));
}

#[test]
fn a_lost_acknowledgement_does_not_block() {
    block_on(async {
        let mut session = Session::from(0);
        let (ended, outcomes) = session.send(3, &[answer(1, libc::EEXIST), overrun()]).await;
        ended.unwrap();
        assert_eq!(outcomes, indexed(&["17", "unknown", "unknown"]));
        let (ended, outcomes) = session.send(2, &[]).await;
        ended.unwrap();
        assert_eq!(outcomes, indexed(&["unknown", "unknown"]));
        // Late answers must not be taken for answers to the next request.
        let (ended, outcomes) = session.send(2, &[answer(3, libc::EEXIST), answer(7, 0)]).await;
        ended.unwrap();
        assert_eq!(outcomes, indexed(&["done", "done"]));
    });
}

#[test]
fn without_the_capability_one_answer_covers_all() {
    assert_eq!(
        outcomes(3, &[answer(1, libc::EPERM)]),
        indexed(&["not permitted"; 3])
    );
    let replies = [answer(1, libc::EPERM), overrun()];
    assert_eq!(
        outcomes(3, &replies),
        indexed(&["not permitted", "unknown", "unknown"])
    );
}

#[test]
fn a_malformed_datagram_ends_only_this_batch() {
    block_on(async {
        let mut session = Session::from(0);
        let cut = Reply {
            payload: Vec::new(),
            ..answer(3, 0)
        };
        let (ended, outcomes) = session.send(4, &[answer(2, libc::EEXIST), cut]).await;
        assert!(matches!(ended, Err(Error::Envelope(_))), "{ended:?}");
        assert_eq!(outcomes, indexed(&["done", "17"]));
        assert!(session.batch.is_empty());
        let (ended, outcomes) = session.send(1, &[answer(5, 0)]).await;
        ended.unwrap();
        assert_eq!(outcomes, indexed(&["done"]));
    });
}

#[test]
fn unsent_requests_have_no_outcome() {
    block_on(async {
        let mut session = Session::from(0);
        session.kernel.shutdown(std::net::Shutdown::Read).unwrap();
        for _ in 0..2 {
            let (ended, outcomes) = session.send(2, &[]).await;
            assert!(matches!(ended, Err(Error::Socket { .. })), "{ended:?}");
            assert_eq!((outcomes.len(), session.batch.len()), (0, 0));
        }
    });
}

#[test]
fn sequence_numbers_wrap_past_zero() {
    block_on(async {
        let mut session = Session::from(u32::MAX - 2);
        let replies = [
            answer(u32::MAX, libc::EEXIST),
            answer(2, libc::ENOENT),
            answer(3, 0),
        ];
        let (ended, outcomes) = session.send(5, &replies).await;
        ended.unwrap();
        assert_eq!(outcomes, indexed(&["done", "17", "done", "2", "done"]));
        let mut session = Session::from(u32::MAX);
        let (ended, outcomes) = session
            .send(2, &[answer(u32::MAX, libc::EEXIST), answer(2, 0)])
            .await;
        ended.unwrap();
        assert_eq!(outcomes, indexed(&["done", "done"]));
    });
}

proptest! {
    #[test]
    fn each_request_has_one_outcome_in_order(
        from in prop::sample::select(vec![0, 7, u32::MAX - 4, u32::MAX]),
        count in 1u32..9,
        replies in prop::collection::vec((0u32..12, prop::sample::select(vec![0, 1, 17, -1])), 0..9),
    ) {
        let replies: Vec<Reply> = replies
            .into_iter()
            .map(|(ahead, errno)| match errno {
                -1 => overrun(),
                errno => answer(from.wrapping_add(ahead), errno),
            })
            .collect();
        let (ended, outcomes) = block_on(async { Session::from(from).send(count, &replies).await });
        prop_assert!(ended.is_ok());
        prop_assert!(outcomes.iter().map(|(index, _)| *index).eq(0..count), "{:?}", outcomes);
        // The last request is never reported as successful without an answer.
        let last = (0..count).fold(from, |sequence, _| next_after(sequence));
        let acknowledged = replies.iter().any(|reply| reply.sequence == last && reply.kind == ERROR);
        prop_assert!(acknowledged || outcomes.last().unwrap().1 != "done", "{:?}", outcomes);
    }
}
