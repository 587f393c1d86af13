//! The direction of a packet in its flow.

use rsct_common::{
    Tuple,
    record::{CauseFamily, PacketFlags, PacketRecord, what},
};

use crate::{
    causes::Why,
    flow::tuples::{headers, inverse},
    names,
};

/// A direction of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    Original = 0,
    Reply = 1,
}

impl Direction {
    /// The direction of a packet, if it is known.
    ///
    /// Conntrack detaches the entry from a packet that it rejects, and the ctinfo with it. Then only a cause with the
    /// packet's own headers shows the direction.
    pub(super) fn of(record: &PacketRecord, why: Option<&Why>) -> Option<Self> {
        if record.flags & (PacketFlags::AFTER | PacketFlags::SEEN_ALREADY) != 0 {
            return Some(match names::is_reply(record.ctinfo) {
                false => Self::Original,
                true => Self::Reply,
            });
        }
        let logged = |why: &&Why| {
            (why.record.family, why.record.what) == (CauseFamily::Invalid as u8, what::INVALID_LOGGED)
        };
        let why = why.filter(logged).filter(|_| record.ct != 0)?;
        let (sent, orig) = (from_words(why.record.tuple), from_words(record.tuple));
        match (sent == orig, sent == inverse(&orig)) {
            (true, false) => Some(Self::Original),
            (false, true) => Some(Self::Reply),
            _ => None,
        }
    }

    /// The opposite direction.
    pub(super) fn opposite(self) -> Self {
        match self {
            Self::Original => Self::Reply,
            Self::Reply => Self::Original,
        }
    }
}

fn from_words(words: rsct_common::TupleWords) -> Tuple {
    headers(Tuple::from_words(words))
}

#[cfg(test)]
mod tests {
    use rsct_common::record::CauseRecord;
    use zerocopy::FromZeros as _;

    use super::*;
    use crate::{
        causes::{Cause, invalid::InvalidCause},
        names::proto::TCP,
    };

    fn tuple(src_port: u8, dst_port: u8) -> Tuple {
        Tuple {
            src_l4: [0, src_port],
            dst_l4: [0, dst_port],
            protonum: TCP,
            ..Tuple::default()
        }
    }

    fn packet(flags: u16, ctinfo: u8) -> PacketRecord {
        PacketRecord {
            ct: 1,
            flags,
            ctinfo,
            tuple: tuple(1, 2).to_words(),
            ..PacketRecord::default()
        }
    }

    fn logged(headers: Tuple) -> Why {
        Why {
            cause: Cause::Invalid(InvalidCause::SeqOver),
            record: CauseRecord {
                family: CauseFamily::Invalid as u8,
                what: what::INVALID_LOGGED,
                tuple: headers.to_words(),
                ..CauseRecord::new_zeroed()
            },
            said: None,
            callers: Vec::new(),
            miss: None,
        }
    }

    #[test]
    fn an_accepted_packet_has_the_direction_of_its_ctinfo() {
        for (ctinfo, direction) in [
            (0, Direction::Original),
            (2, Direction::Original),
            (3, Direction::Reply),
            (4, Direction::Reply),
        ] {
            let record = packet(PacketFlags::AFTER, ctinfo);
            assert_eq!(Direction::of(&record, None), Some(direction));
        }
    }

    #[test]
    fn a_rejected_packet_has_the_direction_of_its_headers() {
        let record = packet(PacketFlags::BEFORE, 0);
        assert_eq!(Direction::of(&record, None), None);
        for (headers, direction) in [
            (tuple(1, 2), Some(Direction::Original)),
            (tuple(2, 1), Some(Direction::Reply)),
            // Translated: not the inverse of the original direction.
            (tuple(2, 7), None),
        ] {
            assert_eq!(Direction::of(&record, Some(&logged(headers))), direction);
        }
        // Without a logged reason, the cause has the tuple of the entry instead of the headers.
        let derived = Why::without_reason(&record.tuple, 0, 0, true);
        assert_eq!(Direction::of(&record, Some(&derived)), None);
        // A packet without an entry has no flow.
        let stray = PacketRecord { ct: 0, ..record };
        assert_eq!(Direction::of(&stray, Some(&logged(tuple(1, 2)))), None);
        // Both directions look alike.
        let symmetric = PacketRecord {
            tuple: tuple(1, 1).to_words(),
            ..record
        };
        assert_eq!(Direction::of(&symmetric, Some(&logged(tuple(1, 1)))), None);
    }
}
