//! How long a tracer takes from its start until it tells of packets.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::{modes, tracer::Tracer, udp::Flow};

/// Short against what is measured; looking costs little of it.
const PAUSE: Duration = Duration::from_millis(2);

/// The same question asked of rsct and of bpftrace: one packet every [`PAUSE`], until one of them is shown.
pub const RSCT: &[&str] = &["rsct", "trace", "-o", "json", "--show-hooks"];
/// Without a buffer of its own, which would hide the first line.
pub const BPFTRACE: &[&str] = &[
    "bpftrace",
    "-B",
    "none",
    "-e",
    r#"kfunc:nf_conntrack_in { printf("\"type\":\"packet\" in\n"); }
kretfunc:nf_conntrack_in { printf("out %d\n", retval); }"#,
];

/// One start.
pub struct Start {
    /// Until the first packet was shown.
    pub shown: Duration,
    /// Until all hooks were attached, as far as the tracer says so.
    pub attached: Option<Duration>,
    /// How long of it the tracer ran; the rest is mostly waiting for the kernel.
    pub on_cpu: Duration,
}

/// Starts `line` and stops it again.
pub fn measure(flow: &Flow, line: &[&str]) -> Result<Start> {
    let start = Instant::now();
    let mut tracer = Tracer::start(line)?;
    let mut attached = None;
    tracer.until("the first packet", PAUSE, || {
        if attached.is_none() && modes::is_attached()? {
            attached = Some(start.elapsed());
        }
        flow.send()?;
        Ok(Tracer::out()?.contains(r#""type":"packet""#))
    })?;
    let shown = start.elapsed();
    let on_cpu = tracer.on_cpu()?;
    tracer.stop()?;
    Ok(Start {
        shown,
        attached,
        on_cpu,
    })
}
