//! Words that both subsystems parse alike.

use super::problem::Problem;
use crate::family::Family;

/// The number of a family name.
pub(super) fn family(typed: &[u8]) -> Result<u16, Problem> {
    let family = match typed {
        b"inet" => Family::Ipv4,
        b"inet6" => Family::Ipv6,
        _ => return Err(Problem::new("unknown layer 3 protocol")),
    };
    Ok(family as u16)
}

/// Truncates a name to the longest that the kernel supports; the rest is never sent.
pub(super) fn name(typed: &[u8], most_bytes: usize) -> Vec<u8> {
    typed[..typed.len().min(most_bytes)].to_vec()
}

/// The error for surplus words.
pub(super) fn too_many() -> Problem {
    Problem::new("too many arguments")
}

/// The error for missing words.
pub(super) fn missing(syntax: &str) -> Problem {
    Problem::new(format!("missing parameters\nsyntax: nfct {syntax}"))
}
