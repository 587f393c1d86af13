//! The parts of a line that describe an event: its kind, its time, and the program that caused it.

use std::time::Duration;

use super::bytes;
use crate::{
    netlink::{conntrack::Entry, event::Kind},
    outside,
};

/// The kind of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// The entry was inserted.
    New,
    /// The entry changed.
    Update,
    /// The entry was destroyed.
    Destroy,
    /// No event: the entry is part of a dump that follows lost events.
    Sync,
}

impl From<Kind> for Event {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::New => Self::New,
            Kind::Update => Self::Update,
            Kind::Destroy => Self::Destroy,
        }
    }
}

impl Event {
    /// The name in JSON and XML.
    pub fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Update => "update",
            Self::Destroy => "destroy",
            Self::Sync => "sync",
        }
    }

    /// The first column of `conntrack -E`, with its space.
    pub fn tag(self) -> &'static [u8] {
        match self {
            Self::New => b"    [NEW] ",
            Self::Update => b" [UPDATE] ",
            Self::Destroy => b"[DESTROY] ",
            Self::Sync => b"   [SYNC] ",
        }
    }
}

/// The sender of the netlink request that caused an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Requester<'a> {
    /// The port of the socket that sent it.
    pub portid: u32,
    /// The program that owns the socket, if known.
    pub progname: Option<&'a [u8]>,
}

/// The time of an event since the epoch: the kernel's own (Linux 6.14 or later, with timestamps on), else now.
pub(crate) fn moment(entry: &Entry<'_>, now: Duration) -> Duration {
    entry.event_ns.map_or(now, Duration::from_nanos)
}

/// Appends `[1795381488.049476]` and a tab, as `conntrack -o timestamp` begins a line.
pub(crate) fn timestamp(out: &mut Vec<u8>, moment: Duration) {
    out.push(b'[');
    bytes::padded(out, moment.as_secs(), 8);
    out.push(b'.');
    bytes::padded(out, moment.subsec_micros(), 6);
    out.extend_from_slice(b"]\t");
}

/// Puts ` [USERSPACE] portid=N progname=X` at the end of a line, before its newline. `as_it_is`: the program's name is
/// written unescaped, as conntrack does.
pub(crate) fn userspace(line: &mut Vec<u8>, requester: Requester<'_>, as_it_is: bool) {
    if line.last() == Some(&b'\n') {
        line.pop();
    }
    line.extend_from_slice(b" [USERSPACE] portid=");
    bytes::number(line, requester.portid);
    if let Some(name) = requester.progname {
        line.extend_from_slice(b" progname=");
        if as_it_is {
            line.extend_from_slice(name);
        } else {
            line.extend_from_slice(outside::shown(name).as_bytes());
        }
    }
    line.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netlink::conntrack::samples;

    #[test]
    fn a_moment_has_microseconds() {
        let mut out = Vec::new();
        timestamp(&mut out, Duration::from_nanos(1_795_381_488_049_476_999));
        timestamp(&mut out, Duration::from_secs(7));
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "[1795381488.049476]\t[00000007.000000]\t"
        );
    }

    #[test]
    fn the_kernels_time_is_preferred_to_the_clocks() {
        let payload = samples::TCP.payload();
        let mut entry = Entry::parse(&payload).unwrap();
        let now = Duration::from_secs(9);
        assert_eq!(moment(&entry, now), now);
        entry.event_ns = Some(5);
        assert_eq!(moment(&entry, now), Duration::from_nanos(5));
    }

    #[test]
    fn the_requester_is_at_the_end() {
        let mut line = b"udp use=1\n".to_vec();
        userspace(
            &mut line,
            Requester {
                portid: 77,
                progname: None,
            },
            false,
        );
        userspace(
            &mut line,
            Requester {
                portid: 8,
                progname: Some(b"nft"),
            },
            false,
        );
        assert_eq!(
            String::from_utf8(line).unwrap(),
            "udp use=1 [USERSPACE] portid=77 [USERSPACE] portid=8 progname=nft\n"
        );
    }
}
