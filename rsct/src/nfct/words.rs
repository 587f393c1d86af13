//! Words that both subsystems read alike.

use super::problem::Problem;
use crate::family::Family;

/// A family's number by its name.
pub(super) fn family(typed: &[u8]) -> Result<u16, Problem> {
    let family = match typed {
        b"inet" => Family::Ipv4,
        b"inet6" => Family::Ipv6,
        _ => return Err(Problem::said("unknown layer 3 protocol")),
    };
    Ok(family as u16)
}

/// As much of a name as there is room for: the kernel is asked for the rest of it never.
pub(super) fn name(typed: &[u8], most_bytes: usize) -> Vec<u8> {
    typed[..typed.len().min(most_bytes)].to_vec()
}

/// There is a limit to what is taken.
pub(super) fn too_many() -> Problem {
    Problem::said("too many arguments")
}

/// Words are missing.
pub(super) fn missing(syntax: &str) -> Problem {
    Problem::said(format!("missing parameters\nsyntax: nfct {syntax}"))
}
