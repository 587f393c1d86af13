//! However rsct ends, the kernel takes its programs off: nothing goes on costing.

use std::{collections::BTreeSet, fs, io};

use anyhow::{Context as _, Result, ensure};

use crate::lab::{Lab, Trace, wait};

const BPF_PROG_GET_NEXT_ID: i32 = 11;

pub fn run() -> Result<()> {
    let lab = Lab::new()?;
    for signal in [libc::SIGKILL, libc::SIGINT, libc::SIGTERM] {
        let before = programs()?;
        ensure!(!is_traced()?, "nf_conntrack_in is traced by somebody else");
        let mut trace = Trace::with_causes(&lab.client.name, &[])?;
        let ours: BTreeSet<u32> = programs()?.difference(&before).copied().collect();
        ensure!(!ours.is_empty() && is_traced()?, "a trace without programs");

        trace.signal(signal)?;
        let ended = trace.ended()?;
        if signal != libc::SIGKILL {
            ensure!(
                ended.status.code() == Some(0),
                "signal {signal}: {}",
                ended.status
            );
            ensure!(ended.stderr.contains("0 records lost"), "{}", ended.stderr);
            ended.summary()?;
        }
        wait::until("rsct's programs are gone", || {
            Ok(programs()?.is_disjoint(&ours) && !is_traced()?)
        })?;
    }
    Ok(())
}

/// Whether the kernel calls anything on entering nf_conntrack_in.
fn is_traced() -> Result<bool> {
    let lists = [
        "/sys/kernel/tracing/enabled_functions",
        "/sys/kernel/debug/kprobes/list",
    ];
    for list in lists {
        let functions = fs::read_to_string(list).with_context(|| format!("read {list}"))?;
        if functions.contains("nf_conntrack_in") {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Ids of all programs that the kernel has.
fn programs() -> Result<BTreeSet<u32>> {
    /// What `union bpf_attr` holds for this command.
    #[repr(C)]
    struct Attr {
        start_id: u32,
        next_id: u32,
        open_flags: u32,
    }
    let mut attr = Attr {
        start_id: 0,
        next_id: 0,
        open_flags: 0,
    };
    let mut ids = BTreeSet::new();
    loop {
        // SAFETY: the kernel reads and writes within the attributes, whose size it is told.
        let result = unsafe {
            libc::syscall(
                libc::SYS_bpf,
                BPF_PROG_GET_NEXT_ID,
                &raw mut attr,
                size_of::<Attr>(),
            )
        };
        if result != 0 {
            let error = io::Error::last_os_error();
            return match error.raw_os_error() {
                Some(libc::ENOENT) => Ok(ids),
                _ => Err(error).context("list the kernel's programs"),
            };
        }
        ids.insert(attr.next_id);
        attr.start_id = attr.next_id;
    }
}
