//! Writes a recording of any size, to measure the memory and time of its replay:
//! `RSCT_LARGE_MIB=1024 RSCT_LARGE=large.rsct cargo test -p rsct --lib large -- --ignored`

use std::{env, fs, path::PathBuf};

use super::made::{Event, Made};

/// Packets of each flow before it ends and another begins.
const PACKETS: u64 = 40;
/// Rounds between two dumps.
const ROUNDS: u64 = 1000;

#[test]
#[ignore = "writes gigabytes"]
fn a_large_recording_is_written() {
    let path = PathBuf::from(env::var_os("RSCT_LARGE").unwrap());
    let mib: u64 = env::var("RSCT_LARGE_MIB").unwrap().parse().unwrap();
    let mut made = Made::new(&path, None);
    for round in 0.. {
        for flow in 0..4 {
            made.event(Event::Confirm, flow, 1);
            for _ in 0..PACKETS {
                made.event(Event::Packet, flow, 1);
            }
            made.event(Event::Drop, flow, 0);
            made.event(Event::Delete, flow, 0);
            made.event(Event::Destroy, flow, 1);
        }
        if round % ROUNDS == 0 {
            made.event(Event::Dump, 0, 1);
            if fs::metadata(&path).unwrap().len() >> 20 >= mib {
                break;
            }
        }
    }
    made.finish();
}
