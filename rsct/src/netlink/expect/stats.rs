//! Counters of expectations per CPU (`enum ctattr_expect_stats` in
//! include/uapi/linux/netfilter/nfnetlink_conntrack.h).

use super::{exchange, request};
use crate::netlink::{
    Error, Socket,
    stats::{Cpu, counter::Counter},
};

/// The counters with a name, by number.
pub(crate) const KNOWN: [Counter; 3] = [
    Counter {
        number: 1,
        name: "expect_new",
        meaning: "connections that matched an expectation",
    },
    Counter {
        number: 2,
        name: "expect_create",
        meaning: "expectations created",
    },
    Counter {
        number: 3,
        name: "expect_delete",
        meaning: "expectations that were matched, expired or were deleted",
    },
];

/// A counter's name; `None` for those of a newer kernel.
pub(crate) fn name(number: u16) -> Option<&'static str> {
    let index = usize::from(number).checked_sub(1)?;
    KNOWN.get(index).map(|counter| counter.name)
}

/// Reads the counters of every possible CPU.
pub(crate) async fn per_cpu(socket: &mut Socket) -> Result<Vec<Cpu>, Error> {
    const OPERATION: &str = "reading the expectation counters";
    let payloads = exchange::dump(socket, OPERATION, request::stats_cpu).await?;
    let cpus = payloads.iter().map(|payload| Cpu::parse(payload));
    Ok(cpus.collect::<Result<_, _>>()?)
}
