//! `rsct list` needs no more memory for a large table than for a small one, and stops when its reader closes the pipe.

use std::fs;

use anyhow::{Context as _, Result, ensure};

use super::namespace::{Namespace, rsct};
use crate::{
    bench::table::{
        entries::{self, Subset},
        netlink::Ctnetlink,
        process::{self, Output, Run},
    },
    lab::inside::inside,
    registry::Skip,
};

const ENTRIES: u32 = 200_000;
const MOST_KIB: u64 = 16 * 1024;

pub fn run() -> Result<()> {
    holds(ENTRIES)?;
    let namespace = Namespace::new("large")?;
    inside(&namespace.name, "fill", || {
        Ctnetlink::open()?.create(entries::flows(ENTRIES, Subset::All))
    })?;

    let rsct = rsct().to_str().context("a path that is no UTF-8")?.to_owned();
    for format in ["text", "json"] {
        let list = |output: Output<'_>| -> Result<Run> {
            let line = [rsct.as_str(), "list", "-o", format].map(str::to_owned);
            Ok(process::start(&namespace.name, &line, output)?.wait()?.0)
        };
        let whole = list(Output::Null)?;
        ensure!(
            whole.peak_kib <= MOST_KIB,
            "-o {format} had {} KiB resident, more than {MOST_KIB}",
            whole.peak_kib
        );
        // The kernel spends most of a table's time, and only while the dump is read.
        let closed = list(Output::ClosedPipe)?;
        ensure!(
            closed.on_cpu < whole.on_cpu / 2,
            "-o {format} ran for {:?} into a closed pipe, for {:?} in whole",
            closed.on_cpu,
            whole.on_cpu
        );
    }
    Ok(())
}

/// Skips a scenario whose table exceeds this machine's limit.
pub(super) fn holds(entries: u32) -> Result<()> {
    let limit = fs::read_to_string("/proc/sys/net/netfilter/nf_conntrack_max").unwrap_or_default();
    if limit.trim().parse::<u32>().is_ok_and(|limit| limit < entries) {
        return Err(Skip(format!("tables here hold {} entries at most", limit.trim())).into());
    }
    Ok(())
}
