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
struct Said {
    kind: u16,
    sequence: u32,
    port: u32,
    payload: Vec<u8>,
}

/// The answer to the request with this number: an errno, or 0 for success.
fn answer(sequence: u32, errno: i32) -> Said {
    Said {
        kind: ERROR,
        sequence,
        port: PORT,
        payload: [&(-errno).to_ne_bytes()[..], &[0; 16]].concat(),
    }
}

fn overrun() -> Said {
    Said {
        kind: OVERRUN,
        payload: Vec::new(),
        ..answer(0, 0)
    }
}

fn bytes(message: &Said) -> Vec<u8> {
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
struct Talk {
    socket: Socket,
    kernel: UnixDatagram,
    batch: Batch<u32>,
}

impl Talk {
    /// Makes the first request use the number after this one.
    fn from(sequence: u32) -> Self {
        let (ours, kernel) = UnixDatagram::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        let mut socket = Socket::with_port(ours.into(), PORT).unwrap();
        socket.count_on_from(sequence);
        Self {
            batch: Batch::new(&socket).unwrap(),
            socket,
            kernel,
        }
    }

    /// Sends `count` deletions, which the kernel answers with `answers`, two messages per datagram; returns
    /// the outcome of each with its index.
    async fn send(&mut self, count: u32, said: &[Said]) -> (Result<(), Error>, Vec<(u32, String)>) {
        for messages in said.chunks(2) {
            let datagram: Vec<u8> = messages.iter().flat_map(bytes).collect();
            self.kernel.send(&datagram).unwrap();
        }
        for place in 0..count {
            let change = Change::default();
            self.batch
                .push(&mut self.socket, Operation::Delete, &change, place);
        }
        let mut told = Vec::new();
        let ended = self.batch.send(&mut self.socket, |place, outcome| {
            told.push((place, word(outcome)));
        });
        (ended.await, told)
    }
}

fn word(outcome: Result<(), Error>) -> String {
    match outcome {
        Ok(()) => "done".to_owned(),
        Err(Error::NotPermitted { .. }) => "not permitted".to_owned(),
        Err(Error::Unanswered { .. }) => "unknown".to_owned(),
        Err(Error::Refused { source, .. }) => source.raw_os_error().unwrap().to_string(),
        Err(error) => panic!("{error}"),
    }
}

fn block_on<T>(talk: impl Future<Output = T>) -> T {
    let runtime = crate::waiting::event_loop().unwrap();
    runtime.block_on(talk)
}

/// The outcomes of `count` requests, the first of which has number 1, for these answers.
fn told(count: u32, said: &[Said]) -> Vec<(u32, String)> {
    let (ended, told) = block_on(async { Talk::from(0).send(count, said).await });
    ended.unwrap();
    told
}

fn places(words: &[&str]) -> Vec<(u32, String)> {
    (0..).zip(words.iter().map(|word| (*word).to_owned())).collect()
}

#[test]
fn silence_and_an_acknowledgement_at_the_end_are_well_done() {
    assert_eq!(told(3, &[answer(3, 0)]), places(&["done"; 3]));
    assert_eq!(told(1, &[answer(1, 0)]), places(&["done"]));
    assert_eq!(told(0, &[]), []);
}

#[test]
fn refusals_are_told_in_their_places() {
    let said = [
        answer(2, libc::EEXIST),
        answer(3, libc::ENOENT),
        answer(5, libc::EBUSY),
        answer(6, 0),
    ];
    assert_eq!(told(6, &said), places(&["done", "17", "2", "done", "16", "done"]));
    assert_eq!(told(2, &[answer(2, libc::ENOENT)]), places(&["done", "2"]));
}

#[test]
fn only_the_last_request_asks_for_an_acknowledgement() {
    block_on(async {
        let mut talk = Talk::from(0);
        talk.send(3, &[answer(3, 0)]).await.0.unwrap();
        let mut datagram = [0; 256];
        let length = talk.kernel.recv(&mut datagram).unwrap();
        let flags: Vec<u16> = Messages::new(&datagram[..length])
            .map(|m| m.unwrap().flags)
            .collect();
        assert_eq!(flags, [1, 1, 5]);
    });
}

#[test]
fn what_is_said_to_others_is_passed_over() {
    let said = [
        answer(9, libc::EEXIST),
        Said {
            port: PORT + 1,
            ..answer(1, libc::EEXIST)
        },
        Said {
            kind: 0x100,
            ..answer(1, 0)
        },
        Said {
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
    assert_eq!(told(3, &said), places(&["done", "17", "done"]));
}

#[test]
fn after_a_loss_silence_means_nothing() {
    let said = [
        answer(2, libc::EEXIST),
        overrun(),
        answer(4, libc::EEXIST),
        answer(6, 0),
    ];
    let expected = ["done", "17", "unknown", "17", "unknown", "done"];
    assert_eq!(told(6, &said), places(&expected));
}

#[test]
fn nobody_waits_for_an_acknowledgement_that_was_lost() {
    block_on(async {
        let mut talk = Talk::from(0);
        let (ended, told) = talk.send(3, &[answer(1, libc::EEXIST), overrun()]).await;
        ended.unwrap();
        assert_eq!(told, places(&["17", "unknown", "unknown"]));
        let (ended, told) = talk.send(2, &[]).await;
        ended.unwrap();
        assert_eq!(told, places(&["unknown", "unknown"]));
        // Late answers must not be taken for answers to the next request.
        let (ended, told) = talk.send(2, &[answer(3, libc::EEXIST), answer(7, 0)]).await;
        ended.unwrap();
        assert_eq!(told, places(&["done", "done"]));
    });
}

#[test]
fn without_the_capability_the_kernel_answers_once_for_all() {
    assert_eq!(told(3, &[answer(1, libc::EPERM)]), places(&["not permitted"; 3]));
    let lost = [answer(1, libc::EPERM), overrun()];
    assert_eq!(told(3, &lost), places(&["not permitted", "unknown", "unknown"]));
}

#[test]
fn a_damaged_datagram_ends_it_and_the_next_batch_is_whole() {
    block_on(async {
        let mut talk = Talk::from(0);
        let cut = Said {
            payload: Vec::new(),
            ..answer(3, 0)
        };
        let (ended, told) = talk.send(4, &[answer(2, libc::EEXIST), cut]).await;
        assert!(matches!(ended, Err(Error::Envelope(_))), "{ended:?}");
        assert_eq!(told, places(&["done", "17"]));
        assert!(talk.batch.is_empty());
        let (ended, told) = talk.send(1, &[answer(5, 0)]).await;
        ended.unwrap();
        assert_eq!(told, places(&["done"]));
    });
}

#[test]
fn nothing_is_told_of_what_could_not_be_sent() {
    block_on(async {
        let mut talk = Talk::from(0);
        talk.kernel.shutdown(std::net::Shutdown::Read).unwrap();
        for _ in 0..2 {
            let (ended, told) = talk.send(2, &[]).await;
            assert!(matches!(ended, Err(Error::Socket { .. })), "{ended:?}");
            assert_eq!((told.len(), talk.batch.len()), (0, 0));
        }
    });
}

#[test]
fn sequence_numbers_wrap_past_zero() {
    block_on(async {
        let mut talk = Talk::from(u32::MAX - 2);
        let said = [
            answer(u32::MAX, libc::EEXIST),
            answer(2, libc::ENOENT),
            answer(3, 0),
        ];
        let (ended, told) = talk.send(5, &said).await;
        ended.unwrap();
        assert_eq!(told, places(&["done", "17", "done", "2", "done"]));
        let mut talk = Talk::from(u32::MAX);
        let (ended, told) = talk
            .send(2, &[answer(u32::MAX, libc::EEXIST), answer(2, 0)])
            .await;
        ended.unwrap();
        assert_eq!(told, places(&["done", "done"]));
    });
}

proptest! {
    #[test]
    fn whatever_is_said_each_is_told_once_and_in_order(
        from in prop::sample::select(vec![0, 7, u32::MAX - 4, u32::MAX]),
        count in 1u32..9,
        said in prop::collection::vec((0u32..12, prop::sample::select(vec![0, 1, 17, -1])), 0..9),
    ) {
        let said: Vec<Said> = said
            .into_iter()
            .map(|(ahead, errno)| match errno {
                -1 => overrun(),
                errno => answer(from.wrapping_add(ahead), errno),
            })
            .collect();
        let (ended, told) = block_on(async { Talk::from(from).send(count, &said).await });
        prop_assert!(ended.is_ok());
        prop_assert!(told.iter().map(|(place, _)| *place).eq(0..count), "{:?}", told);
        // The last request is never reported as successful without an answer.
        let last = (0..count).fold(from, |sequence, _| following(sequence));
        let acknowledged = said.iter().any(|said| said.sequence == last && said.kind == ERROR);
        prop_assert!(acknowledged || told.last().unwrap().1 != "done", "{:?}", told);
    }
}
