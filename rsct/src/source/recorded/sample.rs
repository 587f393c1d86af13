//! The recording of the library's examples: a UDP question and its answer, twice.
//!
//! `RSCT_SEEDS=write cargo test -p rsct sample` writes the file; without it, the test fails if the file is out of date.

use std::{fs, path::Path, time::Duration};

use rsct_common::{
    Tuple,
    record::{EntryFlags, EntryKind, EntryRecord, PacketFlags, PacketRecord, kind},
};
use serde::Serialize;
use zerocopy::IntoBytes as _;

use super::wire::{self, Start, TimeRecord, note};
use crate::{
    flow::tuples::inverse,
    kernel::{hz::Hz, interfaces::Names},
    names::{proto, status, verdict},
    observe::{Ended, Notice, Setup},
    recording::{Options, Writer},
    records::HookCounts,
};

const HZ: u32 = 250;
const NETNS: u32 = 4_026_532_200;
const STARTED_NS: u64 = 1_000_000_000_000;
const CT: u64 = 0xffff_8880_0123_4500;
const UNREPLIED: u32 = 30 * HZ;
const NEW: u8 = 2;
const ESTABLISHED: u8 = 0;
const REPLY: u8 = 3;

fn orig() -> Tuple {
    let mut tuple = Tuple {
        src_l4: 40_000_u16.to_be_bytes(),
        dst_l4: 8888_u16.to_be_bytes(),
        l3num: 2_u16.to_ne_bytes(),
        protonum: proto::UDP,
        ..Tuple::default()
    };
    tuple.src[..4].copy_from_slice(&[192, 168, 34, 12]);
    tuple.dst[..4].copy_from_slice(&[192, 168, 34, 11]);
    tuple
}

fn jiffies(time_ns: u64) -> u32 {
    (time_ns / 1_000_000 * u64::from(HZ) / 1000) as u32
}

/// A packet of the flow.
fn packet(time_ns: u64, ctinfo: u8, before: u32, after: u32) -> PacketRecord {
    let now_jiffies = jiffies(time_ns);
    let timeout = |status: u32| match status & status::CONFIRMED {
        0 => UNREPLIED,
        _ => now_jiffies + UNREPLIED,
    };
    let is_reply = ctinfo == REPLY;
    PacketRecord {
        kind: kind::PACKET,
        hook: if is_reply { 3 } else { 0 },
        verdict: verdict::ACCEPT as u8,
        ctinfo,
        flags: PacketFlags::BEFORE
            | PacketFlags::AFTER
            | PacketFlags::DURATION
            | PacketFlags::MARK
            | PacketFlags::REFRESHED,
        time_ns,
        ct: CT,
        birth_ns: STARTED_NS + 500_000,
        duration_ns: 1_800,
        len_bytes: 41,
        netns: NETNS,
        ifindex: 2,
        status_before: before,
        status_after: after,
        timeout_before_jiffies: timeout(before),
        timeout_after_jiffies: timeout(after),
        now_jiffies,
        refresh_jiffies: UNREPLIED,
        family: 2,
        tuple: orig().to_words(),
        ..PacketRecord::default()
    }
}

/// The first packet reaches its process.
fn confirm(time_ns: u64) -> EntryRecord {
    let now_jiffies = jiffies(time_ns);
    EntryRecord {
        kind: kind::ENTRY,
        what: EntryKind::Confirm as u8,
        flags: EntryFlags::RETURNED | EntryFlags::DURATION,
        time_ns,
        ct: CT,
        birth_ns: STARTED_NS + 500_000,
        ret: verdict::ACCEPT.cast_signed(),
        duration_ns: 900,
        netns: NETNS,
        status_after: status::CONFIRMED,
        timeout_before_jiffies: UNREPLIED,
        timeout_after_jiffies: now_jiffies + UNREPLIED,
        now_jiffies,
        orig: orig().to_words(),
        reply: Tuple {
            dir: 1,
            ..inverse(&orig())
        }
        .to_words(),
        ..EntryRecord::default()
    }
}

fn add(writer: &mut Writer, name: &str, value: &impl Serialize) {
    let json = serde_json::to_vec(value).unwrap();
    writer.note(name, &json, STARTED_NS).unwrap();
}

fn write(path: &Path) {
    let mut writer = Writer::create(Options {
        path: path.to_owned(),
        max_bytes: None,
        keep: 1,
        keys: wire::KEYS,
    })
    .unwrap();
    add(
        &mut writer,
        note::START,
        &Start {
            rsct: "0.1.0".to_owned(),
            host: "server".to_owned(),
            kernel: "6.12.95".to_owned(),
            machine: "x86_64".to_owned(),
            boot_id: "0".to_owned(),
            command: ["rsct", "record", "-O", "udp.rsct"].map(str::to_owned).to_vec(),
            realtime_offset_ns: 1_795_000_000_000_000_000,
            setup: Setup {
                hz: Hz::new(HZ).unwrap(),
                started_ns: STARTED_NS,
                with_causes: false,
                only_netns: Some(NETNS),
                is_unfiltered: true,
            },
            names: Names::default(),
            from_ns: 0,
        },
    );
    add(
        &mut writer,
        note::NOTICE,
        &Notice::Started {
            time_ns: STARTED_NS,
            hooks: HookCounts::default(),
            flows_from_dump: 0,
        },
    );
    let (new, seen) = (status::CONFIRMED, status::CONFIRMED | status::SEEN_REPLY);
    let at = |ms: u64| STARTED_NS + ms * 1_000_000;
    writer.record(packet(at(1), NEW, 0, 0).as_bytes(), at(1)).unwrap();
    writer.record(confirm(at(2)).as_bytes(), at(2)).unwrap();
    for (ms, ctinfo, before, after) in [
        (3, REPLY, new, seen),
        (1500, ESTABLISHED, seen, seen),
        (1502, REPLY, seen, seen),
    ] {
        let record = packet(at(ms), ctinfo, before, after);
        writer.record(record.as_bytes(), at(ms)).unwrap();
        let settled = TimeRecord::of(at(ms + 20));
        writer.record(settled.as_bytes(), at(ms + 20)).unwrap();
    }
    let ended = Ended {
        elapsed: Duration::from_secs(2),
        ..Ended::default()
    };
    add(&mut writer, note::ENDED, &ended);
    writer.finish().unwrap();
}

#[test]
fn the_recording_of_the_examples_is_up_to_date() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests-data/udp.rsct");
    let name = format!("rsct-sample-{}.rsct", std::process::id());
    let written = std::env::temp_dir().join(name);
    write(&written);
    let now = fs::read(&written).unwrap();
    fs::remove_file(&written).unwrap();
    if std::env::var_os("RSCT_SEEDS").is_some_and(|value| value == "write") {
        fs::write(&file, &now).unwrap();
    }
    let is_equal = fs::read(&file).is_ok_and(|known| known == now);
    assert!(is_equal, "run `RSCT_SEEDS=write cargo test -p rsct sample`");
}
