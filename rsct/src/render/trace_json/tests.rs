//! Lines of the writers are those of the schema's structs.

use std::sync::LazyLock;

use proptest::prelude::*;
use rsct_common::record::EntryRecord;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use zerocopy::FromBytes as _;

use super::*;
use crate::{
    causes::{Why, window::Miss},
    flow::FlowTable,
    names::proto,
    schema::{Command, Validator, trace as schema},
    timeouts::{Governing, Protocol, Reduction, Setter},
};

/// Fields that differ from record to record in few bits, so that lines have much in common, but not everything.
fn record(seed: u64) -> PacketRecord {
    let bit = |at: u32| ((seed >> at) & 1) as u8;
    PacketRecord {
        hook: 3 * bit(0),
        verdict: bit(1),
        ctinfo: 2 * bit(2),
        cpu: bit(3).into(),
        flags: (seed >> 32) as u16,
        netns: bit(4).into(),
        ifindex: bit(5).into(),
        status_before: 8 * u32::from(bit(6)),
        status_after: 8 * u32::from(bit(7)),
        mark: bit(8).into(),
        pid: bit(9).into(),
        state_before: bit(10),
        state_after: bit(11),
        zone: bit(12).into(),
        refresh_jiffies: bit(16).into(),
        comm: [b'a' + bit(13); 16],
        tuple: Tuple {
            protonum: if bit(14) == 0 { proto::UDP } else { proto::TCP },
            src: [bit(15); 16],
            ..Tuple::default()
        }
        .to_words(),
        ..PacketRecord::default()
    }
}

static TRACE: LazyLock<Validator> = LazyLock::new(|| Validator::of(Command::Trace));

/// Checks that a line parses into `T`, that `T` writes the same object, and that the schema has it.
fn is_that_of<T: DeserializeOwned + Serialize>(line: &[u8]) -> Result<(), TestCaseError> {
    let object: Value = serde_json::from_slice(line).unwrap();
    let parsed: T = serde_json::from_slice(line).unwrap();
    prop_assert_eq!(&serde_json::to_value(&parsed).unwrap(), &object);
    prop_assert_eq!(TRACE.validate(&object), Ok(()));
    Ok(())
}

/// A tuple of a protocol that conntrack knows, or of any other.
fn with_protocol(words: TupleWords, known: Option<u8>) -> TupleWords {
    let mut tuple = Tuple::from_words(words);
    tuple.protonum = known.unwrap_or(tuple.protonum);
    tuple.to_words()
}

fn protocols() -> impl Strategy<Value = Option<u8>> {
    let known = [1, 6, 17, 33, 47, 58, 132, 136];
    prop::option::of(prop::sample::select(known.to_vec()))
}

/// A cause, with and without all that it may have.
fn cause(has_all: bool, said: String) -> Why {
    let mut why = Why::without_reason(&[0; 5], 7, 8, true);
    if has_all {
        why.said = Some(said.clone());
        why.callers = vec![said];
        why.miss = Some(Miss {
            value: 1,
            bound: 2,
            bytes: u32::MAX,
        });
    }
    why
}

const NAMES: [&str; 3] = ["a\"b", "ü", "c"];

/// All setters, with these names.
fn setters(names: &[String; 3]) -> [Setter<'_>; 8] {
    [
        Setter::Defaults,
        Setter::LostPolicy,
        Setter::Policy(&[]),
        Setter::Policy(&names[..1]),
        Setter::Nftables(&names[1..]),
        Setter::Fixed,
        Setter::Netlink,
        Setter::Unknown,
    ]
}

/// A source whose parts depend on one bit each.
fn source(seed: u64, names: &[String; 3]) -> Option<TimeoutSource<'_>> {
    let bit = |at: u32| (seed >> at) & 1;
    let governing = Governing {
        state: &Protocol::of_number(proto::UDP).states[bit(25) as usize],
        reduction: (bit(26) != 0).then_some(Reduction::Unacknowledged),
    };
    let source = TimeoutSource {
        setter: setters(names)[((seed >> 22) & 7) as usize],
        governing: (bit(27) != 0).then_some(governing),
        value_ms: (bit(28) != 0).then_some(1000 * bit(29)),
    };
    (bit(21) != 0).then_some(source)
}

proptest! {
    #[test]
    fn packets_are_those_of_the_schema(
        bytes in prop::collection::vec(any::<u8>(), size_of::<PacketRecord>()),
        protonum in protocols(),
        has_flow: bool,
        setter in 0..8_usize,
        value_ms: Option<u64>,
        reason in 0..3,
        has_all: bool,
        said: String,
        is_late: bool,
    ) {
        let mut record = PacketRecord::read_from_bytes(&bytes).unwrap();
        record.tuple = with_protocol(record.tuple, protonum);
        let names = NAMES.map(str::to_owned);
        let setter = setters(&names)[setter];
        let protocol = Protocol::of_number(protonum.unwrap_or(0));
        let governing = value_ms.map(|_| Governing {
            state: &protocol.states[0],
            reduction: has_all.then_some(Reduction::Unacknowledged),
        });
        let source = TimeoutSource { setter, governing, value_ms };
        let why = cause(has_all, said);
        let reason = match reason {
            0 => Reason::None,
            1 => Reason::NotYet,
            _ => Reason::Known(&why),
        };
        let mut table = FlowTable::new(250);
        let flow = table.packet(&record).filter(|_| has_flow);
        let mut out = Vec::new();
        let observation = Observation::Packet(&record, flow, has_all.then_some(source), reason);
        TraceJson::new(Hz::new(250).unwrap()).line(&mut out, observation);
        if is_late {
            crate::render::printed::mark_late(&mut out, true);
        }
        is_that_of::<schema::Packet>(&out)?;
    }

    #[test]
    fn entry_events_are_those_of_the_schema(
        bytes in prop::collection::vec(any::<u8>(), size_of::<EntryRecord>()),
        kind in 0..10_u8,
        protonum in protocols(),
        has_flow: bool,
        reason: bool,
        has_all: bool,
        said: String,
    ) {
        let mut record = EntryRecord::read_from_bytes(&bytes).unwrap();
        record.what = kind;
        record.orig = with_protocol(record.orig, protonum);
        record.reply = with_protocol(record.reply, protonum);
        let why = cause(has_all, said);
        let flow = FlowTable::new(250).entry(&record).filter(|_| has_flow);
        let mut out = Vec::new();
        let observation = Observation::Entry(&record, flow.as_ref(), reason.then_some(&why));
        TraceJson::new(Hz::new(250).unwrap()).line(&mut out, observation);
        is_that_of::<schema::EntryEvent>(&out)?;
    }

    #[test]
    fn causes_are_those_of_the_schema(has_all: bool, said: String, words: TupleWords, flags: u16) {
        let mut why = cause(has_all, said);
        why.record.tuple = words;
        why.record.flags = flags;
        let mut out = Vec::new();
        TraceJson::new(Hz::new(250).unwrap()).line(&mut out, Observation::Cause(&why));
        is_that_of::<schema::CauseAlone>(&out)?;
    }

    #[test]
    fn text_of_earlier_lines_changes_no_line(seeds in prop::collection::vec(any::<u64>(), 0..8)) {
        let names = NAMES.map(str::to_owned);
        let line = |json: &mut TraceJson, seed| {
            let record = record(seed);
            let mut table = FlowTable::new(250);
            let flow = table.packet(&record).filter(|_| (seed >> 20) & 1 != 0);
            let mut out = Vec::new();
            json.line(&mut out, Observation::Packet(&record, flow, source(seed, &names), Reason::None));
            String::from_utf8(out).expect("lines are UTF-8")
        };
        let mut json = TraceJson::new(Hz::new(250).unwrap());
        for seed in seeds {
            // Neighbours that differ in one bit, and in none.
            for seed in (0..64).map(|bit| seed ^ (1 << bit)).chain([seed, seed]) {
                let fresh = line(&mut TraceJson::new(Hz::new(250).unwrap()), seed);
                prop_assert_eq!(line(&mut json, seed), fresh);
            }
        }
    }

    #[test]
    fn numbers_replaced_in_an_earlier_line_are_those_of_a_new_one(
        seeds in prop::collection::vec(any::<u64>(), 1..3),
        packets in prop::collection::vec((0..3_usize, [(); 9].map(|()| number())), 1..20),
    ) {
        let names = NAMES.map(str::to_owned);
        let line = |json: &mut TraceJson, seed, numbers| {
            let record = with_numbers(record(seed), numbers);
            let mut table = FlowTable::new(250);
            let flow = table.packet(&record);
            let mut out = b"before".to_vec();
            json.line(&mut out, Observation::Packet(&record, flow, source(seed, &names), Reason::None));
            String::from_utf8(out).expect("lines are UTF-8")
        };
        let mut json = TraceJson::new(Hz::new(250).unwrap());
        for (index, numbers) in packets {
            let seed = seeds[index % seeds.len()];
            let fresh = line(&mut TraceJson::new(Hz::new(250).unwrap()), seed, numbers);
            prop_assert_eq!(line(&mut json, seed, numbers), fresh);
        }
    }
}

/// Numbers of all widths, often neighbours.
fn number() -> impl Strategy<Value = u64> {
    let widths = (any::<u64>(), 0..64_u32).prop_map(|(bits, shift)| bits >> shift);
    prop_oneof![
        widths,
        0..12_u64,
        99_999_990..100_000_010_u64,
        Just(12_345_678_901)
    ]
}

/// The record with the numbers that differ from packet to packet.
fn with_numbers(record: PacketRecord, numbers: [u64; 9]) -> PacketRecord {
    let [time_ns, numbers @ ..] = numbers;
    let [duration_ns, len_bytes, before, after, flags, seq, ack, window] =
        numbers.map(|number| number as u32);
    PacketRecord {
        time_ns,
        duration_ns,
        len_bytes,
        timeout_before_jiffies: before,
        timeout_after_jiffies: after,
        now_jiffies: 1000,
        tcp_flags: flags as u8,
        tcp_seq: seq,
        tcp_ack: ack,
        tcp_window: window as u16,
        ..record
    }
}
