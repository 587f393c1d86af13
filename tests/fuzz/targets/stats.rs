//! Two readings of the kernel's counters.
#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use rsct::internals::{
    netlink::stats::{Cpu, Table, since, total},
    render::stats,
};
use rsct_fuzz::is_json;

fuzz_target!(|payload: &[u8]| {
    if let Ok(table) = Table::parse(payload) {
        let mut out = Vec::new();
        stats::count_json(&mut out, table, None);
        is_json(&out);
    }
    // The first reading is before the second.
    let (before, now) = payload.split_at(payload.len() / 8 * 4);
    let cpus: Vec<Cpu> = [before, now, payload].into_iter().flat_map(Cpu::parse).collect();
    let Some((first, _)) = cpus.split_first() else {
        return;
    };
    let sum: u64 = total(&cpus).iter().map(|(_, value)| value).sum();
    let counters = cpus.iter().flat_map(|cpu| &cpu.counters);
    let each: u64 = counters.map(|(_, value)| u64::from(*value)).sum();
    assert_eq!(sum, each);
    let before = std::slice::from_ref(first);
    if let Some(grown) = since(&cpus, before) {
        assert_eq!(grown.len(), cpus.len());
    }
    for last in [None, Some((before, Duration::from_millis(1)))] {
        let mut out = Vec::new();
        stats::json(&mut out, &cpus, last, None);
        is_json(&out);
        out.clear();
        stats::text(&mut out, &cpus, last, None);
        assert!(out.is_empty() || out.ends_with(b"\n"));
    }
});
