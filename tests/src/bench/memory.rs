//! Memory of rsct with many flows.

use std::{fmt::Write as _, fs, process::Command, time::Duration};

use anyhow::{Context as _, Result, ensure};

use super::{modes, tracer::Tracer};
use crate::native::namespace::succeeds;

/// Number of flows.
pub const FLOWS: u32 = 100_000;
const ENTRIES: &str = "/tmp/bench.entries";

/// Result of the measurement.
pub struct Memory {
    /// After the dump.
    pub resident_kib: u64,
    /// The maximum until then.
    pub peak_kib: u64,
}

/// Fills the table, and starts rsct, which dumps it.
pub fn measure() -> Result<Memory> {
    fill()?;
    let mut tracer = Tracer::start(&["rsct", "trace", "-o", "none", "--show-hooks"])?;
    tracer.until("its hooks", Duration::from_millis(5), modes::is_attached)?;
    tracer.settle()?;
    let memory = Memory {
        resident_kib: tracer.status_kib("VmRSS")?,
        peak_kib: tracer.status_kib("VmHWM")?,
    };
    tracer.stop()?;
    let said = Tracer::err()?;
    let known: u32 = said
        .lines()
        .find_map(|line| {
            let (number, _) = line.strip_prefix("rsct: ")?.split_once(" flows known")?;
            number.parse().ok()
        })
        .context("rsct's summary lacks the flows")?;
    ensure!(known >= FLOWS, "rsct knew {known} flows, not {FLOWS}:\n{said}");
    succeeds(Command::new("conntrack").arg("-F"))?;
    Ok(memory)
}

/// Creates entries in the only fast way: many in one process.
fn fill() -> Result<()> {
    let set = |name: &str, value: u32| {
        fs::write(format!("/proc/sys/net/netfilter/{name}"), value.to_string())
            .with_context(|| format!("set {name}"))
    };
    set("nf_conntrack_max", 2 * FLOWS)?;
    set("nf_conntrack_buckets", FLOWS)?;
    let mut lines = String::new();
    for number in 0..FLOWS {
        let (high, low) = (number >> 8, number & 0xff);
        let (high, middle) = (high >> 8, high & 0xff);
        // Writing to a String cannot fail.
        let _ = writeln!(
            lines,
            "-A -p udp -s 10.{high}.{middle}.{low} -d 192.0.2.1 --sport 1024 --dport 53 -t 3600 -u SEEN_REPLY,ASSURED"
        );
    }
    fs::write(ENTRIES, lines).with_context(|| format!("write {ENTRIES}"))?;
    succeeds(Command::new("conntrack").args(["-R", ENTRIES]))?;
    let count = fs::read_to_string("/proc/sys/net/netfilter/nf_conntrack_count")?;
    ensure!(
        count.trim().parse::<u32>()? >= FLOWS,
        "conntrack -R made {} of {FLOWS} entries",
        count.trim()
    );
    Ok(())
}
