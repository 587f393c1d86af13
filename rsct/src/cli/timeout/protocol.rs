//! Protocols on the command line, which the kernel may not support.

use crate::{
    cli::UsageError,
    names::proto::{DCCP, UDPLITE},
    timeouts::{PROTOCOLS, Protocol},
};

/// Help of a protocol argument.
pub(super) const PROTOCOL_HELP: &str =
    "Protocol: tcp, udp, udplite, icmp, icmpv6, sctp, dccp, gre, or generic (others)";

/// The protocol with this name or number.
pub(super) fn named(name: &str) -> Result<&'static Protocol, UsageError> {
    let numbered = || {
        let number: u8 = name.parse().ok()?;
        PROTOCOLS.iter().find(|protocol| protocol.number == number)
    };
    Protocol::named(name).or_else(numbered).ok_or_else(|| {
        let names: Vec<&str> = PROTOCOLS.iter().map(|protocol| protocol.name).collect();
        UsageError(format!(
            "there are no timeouts of a protocol {name:?}: protocols are {} (all others)",
            names.join(", ")
        ))
    })
}

/// The error when the kernel has no timeouts of a protocol.
pub(super) fn missing(protocol: &Protocol) -> anyhow::Error {
    let dropped = match protocol.number {
        DCCP | UDPLITE => " (newer kernels no longer have it)",
        _ => "",
    };
    anyhow::anyhow!(
        "timeouts of {0}: this kernel has no handler for the protocol{dropped}; entries of {0} have the timeout of \
         generic",
        protocol.name
    )
}
