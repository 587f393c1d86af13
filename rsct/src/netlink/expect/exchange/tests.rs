//! A thread plays the kernel, so that rare events can be tested.

use std::{os::unix::net::UnixDatagram, thread};

use super::*;
use crate::netlink::expect::{self, Key, New, Of, samples};

const PORT: u32 = 4711;
const ERROR: u16 = 2;
const DONE: u16 = 3;
const OVERRUN: u16 = 4;
const NEW: u16 = 0x200;
const DUMP_INTR: u16 = 16;

/// A message's type, flags and payload.
type Reply = (u16, u16, Vec<u8>);

fn expectation() -> Reply {
    (NEW, 2, samples::FTP.payload())
}

fn done(flags: u16) -> Reply {
    (DONE, 2 | flags, vec![0; 4])
}

fn error(errno: i32) -> Reply {
    (ERROR, 0, [&(-errno).to_ne_bytes()[..], &[0; 16]].concat())
}

/// Answers each request with the next of these lists of messages, after a stray one.
fn kernel(answers: Vec<Vec<Reply>>) -> Socket {
    let (ours, theirs) = UnixDatagram::pair().unwrap();
    ours.set_nonblocking(true).unwrap();
    thread::spawn(move || {
        for answer in answers {
            let mut request = [0; 1024];
            theirs.recv(&mut request).unwrap();
            let sequence = u32::from_ne_bytes(request[8..12].try_into().unwrap());
            theirs.send(&bytes(&error(libc::EIO), sequence + 9)).unwrap();
            for message in &answer {
                theirs.send(&bytes(message, sequence)).unwrap();
            }
        }
        // Keep the socket open: a silent kernel must not look like a closed socket.
        thread::sleep(std::time::Duration::from_secs(5));
    });
    Socket::with_port(ours.into(), PORT).unwrap()
}

fn bytes((kind, flags, payload): &Reply, sequence: u32) -> Vec<u8> {
    let length = u32::try_from(16 + payload.len()).unwrap();
    let mut bytes = length.to_ne_bytes().to_vec();
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(flags.to_ne_bytes());
    bytes.extend(sequence.to_ne_bytes());
    bytes.extend(PORT.to_ne_bytes());
    bytes.extend(payload);
    bytes
}

#[tokio::test]
async fn an_incomplete_dump_is_repeated() {
    let mut socket = kernel(vec![
        vec![expectation(), expectation(), done(DUMP_INTR)],
        vec![expectation(), (OVERRUN, 0, Vec::new()), done(0)],
        vec![expectation(), done(0)],
    ]);
    assert_eq!(expect::read(&mut socket, Of::All).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_dump_that_is_never_complete_is_an_error() {
    let answer = vec![(OVERRUN, 0, Vec::new()), done(0)];
    let mut socket = kernel(vec![answer; 8]);
    let error = expect::read(&mut socket, Of::All).await.unwrap_err();
    assert_eq!(error.errno(), Some(libc::ENOBUFS));
}

#[tokio::test]
async fn a_refused_dump_keeps_its_number() {
    let mut socket = kernel(vec![vec![error(libc::ENOENT)]]);
    let error = expect::read(&mut socket, Of::All).await.unwrap_err();
    assert_eq!(error.errno(), Some(libc::ENOENT));
}

/// Callers need the errno.
#[tokio::test]
async fn every_refusal_keeps_its_number() {
    for errno in [
        libc::EINVAL,
        libc::EOPNOTSUPP,
        libc::EEXIST,
        libc::EBUSY,
        libc::EPERM,
    ] {
        let mut socket = kernel(vec![vec![error(errno)]]);
        let refused = expect::create(&mut socket, &New::default()).await.unwrap_err();
        assert_eq!(refused.errno(), Some(errno));
    }
}

#[tokio::test]
async fn none_is_an_answer() {
    let key = Key::default();
    let mut socket = kernel(vec![
        vec![error(libc::ENOENT)],
        vec![error(libc::ENOENT)],
        vec![error(0)],
        vec![expectation(), error(0)],
    ]);
    assert!(
        !expect::get(&mut socket, &key, |_| panic!("nothing"))
            .await
            .unwrap()
    );
    assert!(!expect::delete(&mut socket, &key).await.unwrap());
    assert!(expect::delete(&mut socket, &key).await.unwrap());
    let mut timeout = None;
    let found = expect::get(&mut socket, &key, |found| timeout = found.timeout);
    assert!(found.await.unwrap());
    assert_eq!(timeout, Some(299));
}
