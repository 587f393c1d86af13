//! Records for tests: any, and packets of established TCP flows as a busy machine has them.

use proptest::prelude::*;
use rsct_common::{
    Tuple,
    record::{PacketFlags, PacketRecord, kind},
};
use zerocopy::IntoBytes as _;

use super::{Key, delta::Encoder, frame, sealed};

/// The slots of packets: by the entry and its direction.
pub(super) const KEYS: &[Key] = &[Key {
    kind: kind::PACKET,
    slots: 1024,
    word: 2,
    mask: 0xff00_ff00,
}];

/// Any records, similar ones among them.
pub(super) fn records() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let word = prop_oneof![Just(0), 0..3_u64, any::<u64>(), any::<u32>().prop_map(u64::from)];
    let words = prop_oneof![1..=20_usize, Just(19), Just(19), 1..=128_usize];
    let record = (1..=4_u8, words).prop_flat_map(move |(kind, words)| {
        prop::collection::vec(word.clone(), words).prop_map(move |words| {
            let mut record: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
            record[0] = kind;
            record
        })
    });
    prop::collection::vec(record, 0..40)
}

/// Packets of `flows` TCP flows in turn: bulk data in one direction, acknowledgements in the other.
pub(super) fn packets(flows: u64, count: usize) -> Vec<Vec<u8>> {
    packets_at(flows, count, 12_000)
}

/// The same, with the mean time between two packets.
pub(super) fn packets_at(flows: u64, count: usize, gap_ns: u64) -> Vec<Vec<u8>> {
    let mut random = 0x1234_5678_9abc_def1_u64;
    let mut any = move |below: u64| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        (random >> 16) % below
    };
    let mut time_ns = 1_234_567_890_123_456;
    let mut sent = vec![[0_u32; 2]; flows as usize];
    let mut left = vec![4_294_900_000_u32; flows as usize];
    (0..count)
        .map(|_| {
            time_ns += any(2 * gap_ns);
            let flow = any(flows);
            let reply = any(3) == 0;
            let now = (time_ns / 4_000_000) as u32;
            let [data, acked] = &mut sent[flow as usize];
            let length = if reply {
                52
            } else {
                1500 - 1400 * u32::from(any(20) == 0)
            };
            let (seq, ack) = if reply {
                (4_000_000_000, *acked)
            } else {
                (*data, 4_000_000_000)
            };
            if reply {
                *acked = *data;
            } else {
                *data += length - 52;
            }
            let before = std::mem::replace(&mut left[flow as usize], now + 108_000_000);
            let tuple = Tuple {
                src: [
                    10,
                    0,
                    (flow >> 8) as u8,
                    flow as u8,
                    0,
                    0,
                    0,
                    0,
                    0,
                    0,
                    0,
                    0,
                    0,
                    0,
                    0,
                    0,
                ],
                src_l4: (30_000 + flow as u16).to_be_bytes(),
                l3num: [2, 0],
                dst: [192, 0, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
                dst_l4: 443_u16.to_be_bytes(),
                protonum: 6,
                dir: 0,
            };
            let record = PacketRecord {
                kind: kind::PACKET,
                verdict: 1,
                ctinfo: if reply { 3 } else { 0 },
                cpu: (flow % 8) as u16,
                flags: PacketFlags::BEFORE
                    | PacketFlags::HEADER
                    | PacketFlags::REFRESHED
                    | PacketFlags::DURATION
                    | PacketFlags::AFTER
                    | PacketFlags::MARK
                    | if any(4) == 0 {
                        PacketFlags::UNACKNOWLEDGED
                    } else {
                        0
                    },
                time_ns,
                ct: 0xffff_8881_0423_4500 + flow * 320,
                birth_ns: 1_234_000_000_000_000 + flow * 1_234_567,
                duration_ns: (280 + any(60) + any(60) * any(10)) as u32,
                len_bytes: length,
                netns: 4_026_531_840,
                ifindex: 2 + u32::from(reply),
                status_before: 0x18e,
                status_after: 0x18e,
                timeout_before_jiffies: before,
                timeout_after_jiffies: now + 108_000_000,
                now_jiffies: now,
                refresh_jiffies: 108_000_000,
                tcp_seq: seq,
                tcp_ack: ack,
                tcp_window: if reply { (2000 + any(100)) as u16 } else { 502 },
                tcp_flags: 16,
                state_before: 3,
                state_after: 3,
                family: 2,
                tuple: tuple.to_words(),
                ..PacketRecord::default()
            };
            record.as_bytes().to_vec()
        })
        .collect()
}

/// Inputs of the fuzz target: recordings, and frames as type, number of records, size before compression, payload.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let mut encoder = Encoder::new(KEYS);
    for packet in packets(2, 6) {
        encoder.push(&packet);
    }
    let mut body = Vec::new();
    encoder.take(&mut body);
    let note = b"\x05start{\"rsct\":\"0.1.0\",\"host\":\"gateway\",\"kernel\":\"6.12.9\"}";
    let frame = |frame, records, size, payload: &[u8]| [&[frame, records, size, 0], payload].concat();
    let file = sealed(frame::NOTE, 0, 0, note);
    vec![
        file.clone(),
        [
            &file[..],
            &sealed(frame::RECORDS, 6, 0, &body),
            &sealed(frame::END, 0, 0, &[0; 8]),
        ]
        .concat(),
        frame(frame::RECORDS, 6, 0, &body),
        frame(frame::NOTE, 0, 0, note),
        // A block of LZ4 with 8 literals.
        frame(frame::NOTE, 0, 8, b"\x80\x05start{}"),
        frame(frame::INDEX, 0, 0, &[0; 24]),
        frame(frame::END, 0, 0, &[0; 8]),
    ]
}
