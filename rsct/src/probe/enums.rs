//! Comparison of rsct's numbers with the kernel's enums.
//!
//! A record contains a status bit, a ctinfo, a hook or a protocol's state as a number. rsct uses the kernel's names,
//! so the kernel's BTF shows if a number has the same name there.

use crate::{
    kernel::btf::KernelTypes,
    names::{self, proto, status},
};

/// An enumerator with another value than in rsct's tables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Differs {
    /// The enum.
    pub of: &'static str,
    /// The enumerator.
    pub variant: String,
    /// The kernel's value.
    pub found: i64,
    /// The value in rsct's tables.
    pub expected: i64,
}

/// Returns the first enumerator with another value. An enumerator that this kernel does not have (a removed protocol,
/// a newer bit) cannot occur in a record either.
pub(crate) fn first_difference(types: &KernelTypes) -> Option<Differs> {
    known().find_map(|(of, variant, expected)| {
        let found = types.enum_value(Some(of), &variant).ok()?;
        (found != expected).then_some(Differs {
            of,
            variant,
            found,
            expected,
        })
    })
}

/// The values in rsct's tables, under the kernel's names.
fn known() -> impl Iterator<Item = (&'static str, String, i64)> {
    let fixed = [
        ("ip_conntrack_info", "IP_CT_ESTABLISHED", 0),
        ("ip_conntrack_info", "IP_CT_RELATED", 1),
        ("ip_conntrack_info", "IP_CT_NEW", 2),
        ("ip_conntrack_info", "IP_CT_IS_REPLY", 3),
        ("ip_conntrack_info", "IP_CT_UNTRACKED", 7),
        ("nf_inet_hooks", "NF_INET_PRE_ROUTING", 0),
        ("nf_inet_hooks", "NF_INET_LOCAL_OUT", 3),
    ];
    let bits = (0..32).flat_map(|bit| status::names(1 << bit).map(move |name| (bit, name)));
    let bits = bits.map(|(bit, name)| ("ip_conntrack_status", format!("IPS_{name}_BIT"), bit));
    let states = [
        (proto::TCP, "tcp_conntrack", "TCP_CONNTRACK"),
        (proto::SCTP, "sctp_conntrack", "SCTP_CONNTRACK"),
        (proto::DCCP, "ct_dccp_states", "CT_DCCP"),
    ];
    let states = states.into_iter().flat_map(|(protonum, of, prefix)| {
        (0..16)
            .filter_map(move |state| Some((state, names::state(protonum, state)?)))
            .map(move |(state, name)| (of, format!("{prefix}_{name}"), i64::from(state)))
    });
    fixed
        .into_iter()
        .map(|(of, variant, value)| (of, variant.to_owned(), value))
        .chain(bits)
        .chain(states)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_table_is_compared() {
        let known: Vec<_> = known().collect();
        for (of, variant, value) in [
            ("ip_conntrack_status", "IPS_SEEN_REPLY_BIT", 1),
            ("ip_conntrack_status", "IPS_ASSURED_BIT", 2),
            ("tcp_conntrack", "TCP_CONNTRACK_ESTABLISHED", 3),
            ("sctp_conntrack", "SCTP_CONNTRACK_ESTABLISHED", 4),
        ] {
            assert!(known.contains(&(of, variant.to_owned(), value)), "{variant}");
        }
    }
}
