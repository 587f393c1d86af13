//! A protocol as it is typed, and as this kernel may lack it.

use crate::{
    cli::UsageError,
    flow::names::proto::{DCCP, UDPLITE},
    timeouts::{PROTOCOLS, Protocol},
};

/// The protocol of this name or number.
pub(super) fn named(name: &str) -> Result<&'static Protocol, UsageError> {
    let numbered = || {
        let number: u8 = name.parse().ok()?;
        PROTOCOLS.iter().find(|protocol| protocol.number == number)
    };
    Protocol::named(name).or_else(numbered).ok_or_else(|| {
        let names: Vec<&str> = PROTOCOLS.iter().map(|protocol| protocol.name).collect();
        UsageError(format!(
            "no timeouts are kept for a protocol {name:?}: there are {}, and generic is for all others",
            names.join(", ")
        ))
    })
}

/// Says that the kernel keeps no timeouts for a protocol.
pub(super) fn missing(protocol: &Protocol) -> anyhow::Error {
    let dropped = match protocol.number {
        DCCP | UDPLITE => " (newer kernels have dropped it)",
        _ => "",
    };
    anyhow::anyhow!(
        "timeouts of {0}: this kernel has no handler for the protocol{dropped}; entries of {0} have the timeout of \
         generic",
        protocol.name
    )
}
