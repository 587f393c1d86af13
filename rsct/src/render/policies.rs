//! Timeout policies as columns and as JSON; in nfct's form they are in `nfct.rs`.

use std::{fmt::Display, io::Write as _};

use super::{bytes, namespace};
use crate::{
    family::Family,
    kernel::netns::NetnsName,
    netlink::timeout::{Policy, Timeouts},
    outside,
    schema::{common::Word, settings},
    timeouts::Protocol,
};

/// A policy, and its users.
#[derive(Clone, Debug)]
pub(crate) struct Line<'a> {
    /// The policy.
    pub policy: &'a Policy,
    /// Number of rules that hold it, if known.
    pub rules: Option<usize>,
    /// Number of entries that it governs, if known: only probes can count them.
    pub flows: Option<u64>,
}

/// References to a policy other than its list's: from rules, and on newer kernels from flows too.
pub(crate) fn uses(policy: &Policy) -> Option<u32> {
    policy.uses.map(|uses| uses.saturating_sub(1))
}

/// The width of the column of names.
pub(crate) fn width(policies: &[Policy]) -> usize {
    let names = policies.iter().map(|policy| name(policy).chars().count());
    names.max().unwrap_or(0).max("NAME".len())
}

/// Appends the columns' names.
pub(crate) fn header(out: &mut Vec<u8>, netns: Option<usize>, width: usize, flows: bool) {
    if let Some(width) = netns {
        put(out, format_args!("{:width$} ", "NETNS"));
    }
    put(
        out,
        format_args!("{:width$} FAMILY PROTO    {:>5} {:>6}", "NAME", "RULES", "USES"),
    );
    if flows {
        put(out, format_args!(" {:>8}", "FLOWS"));
    }
    out.extend_from_slice(b"  STATES\n");
}

/// Appends a line: the states as arguments of `rsct timeout policy add`.
pub(crate) fn text(
    out: &mut Vec<u8>,
    line: &Line<'_>,
    netns: &NetnsName,
    column: Option<usize>,
    width: usize,
) {
    namespace::column(out, netns, column);
    let Timeouts { l3proto, l4proto, .. } = &line.policy.timeouts;
    let name = name(line.policy);
    put(out, format_args!("{name:width$} "));
    match Family::from_number(*l3proto) {
        Some(family) => put(out, format_args!("{:6} ", family.name())),
        None => put(out, format_args!("{l3proto:<6} ")),
    }
    let protocol = Protocol::of_number(*l4proto);
    if protocol.number == *l4proto {
        put(out, format_args!("{:8}", protocol.name));
    } else {
        put(out, format_args!("{l4proto:<8}"));
    }
    match line.rules {
        Some(rules) => put(out, format_args!(" {rules:>5}")),
        None => out.extend_from_slice(b"     -"),
    }
    match uses(line.policy) {
        Some(uses) => put(out, format_args!(" {uses:>6}")),
        None => out.extend_from_slice(b"      -"),
    }
    if let Some(flows) = line.flows {
        put(out, format_args!(" {flows:>8}"));
    }
    out.push(b' ');
    for (attribute, seconds) in shown_values(line.policy, protocol) {
        match protocol.state_of_attribute(*attribute) {
            Some(state) => put(out, format_args!(" {}={seconds}", state.name)),
            None => put(out, format_args!(" {attribute}={seconds}")),
        }
    }
    out.push(b'\n');
}

/// Appends a JSON object.
pub(crate) fn json(out: &mut Vec<u8>, line: &Line<'_>, netns: Option<&NetnsName>) {
    let Timeouts { l3proto, l4proto, .. } = &line.policy.timeouts;
    let protocol = Protocol::of_number(*l4proto);
    let family = Family::from_number(*l3proto);
    let state = |attribute: u16| match protocol.state_of_attribute(attribute) {
        Some(state) => Word::from(state.name),
        None => format!("state{attribute}").into(),
    };
    let name = line.policy.name.as_deref().unwrap_or_default();
    let object = settings::Policy {
        netns: netns.into(),
        policy: String::from_utf8_lossy(name).into_owned(),
        family: family.map(|family| family.name().into()),
        l3proto: family.is_none().then_some(*l3proto),
        proto: (protocol.number == *l4proto).then(|| protocol.name.into()),
        protonum: *l4proto,
        rules: line.rules,
        uses: uses(line.policy),
        flows: line.flows,
        values_s: shown_values(line.policy, protocol)
            .map(|(attribute, seconds)| (state(*attribute), *seconds))
            .collect(),
    };
    bytes::json_line(out, &object);
}

/// The states' values, without SCTP's HEARTBEAT_ACKED, which kernels still send as 0 although it is unused.
fn shown_values<'a>(policy: &'a Policy, protocol: &'static Protocol) -> impl Iterator<Item = &'a (u16, u32)> {
    let values = policy.timeouts.values.iter();
    values.filter(|(attribute, seconds)| *seconds != 0 || protocol.state_of_attribute(*attribute).is_some())
}

/// A policy's name, safe for a terminal.
fn name(policy: &Policy) -> String {
    outside::shown(policy.name.as_deref().unwrap_or_default())
}

fn put(out: &mut Vec<u8>, what: impl Display) {
    // Writing to a Vec can't fail.
    let _ = write!(out, "{what}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::netns;

    fn policy(name: &[u8], l3proto: u16, l4proto: u8) -> Policy {
        Policy {
            name: Some(name.to_vec()),
            timeouts: Timeouts {
                l3proto,
                l4proto,
                values: vec![(1, 30), (2, 300)],
            },
            uses: Some(3),
        }
    }

    fn line(policy: &Policy) -> (String, serde_json::Value) {
        let line = Line {
            policy,
            rules: Some(1),
            flows: None,
        };
        let mut out = Vec::new();
        text(&mut out, &line, &netns::current().unwrap(), None, 6);
        let mut object = Vec::new();
        json(&mut object, &line, None);
        (
            String::from_utf8(out).unwrap(),
            serde_json::from_slice(&object).unwrap(),
        )
    }

    #[test]
    fn states_stand_as_they_are_typed() {
        let (text, json) = line(&policy(b"a", 2, 17));
        assert_eq!(
            text,
            "a      ipv4   udp          1      2  unreplied=30 replied=300\n"
        );
        let expected = serde_json::json!({
            "policy": "a", "family": "ipv4", "proto": "udp", "protonum": 17, "rules": 1, "uses": 2,
            "values_s": {"unreplied": 30, "replied": 300},
        });
        assert_eq!(json, expected);
    }

    #[test]
    fn what_is_unknown_is_shown_by_number() {
        let (text, json) = line(&policy(b"a\x1b\xff", 7, 99));
        assert_eq!(
            text,
            "a\\u{1b}\\xff 7      99           1      2  timeout=30 2=300\n"
        );
        assert_eq!(json["policy"], "a\u{1b}\u{fffd}");
        assert_eq!((&json["l3proto"], &json["protonum"]), (&7.into(), &99.into()));
        assert!(
            json.get("proto").is_none() && json.get("family").is_none(),
            "{json}"
        );
    }
}
