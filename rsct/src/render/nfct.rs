//! The text that `nfct` prints for a timeout policy, or for a helper, byte for byte.

use std::io::Write as _;

use super::bytes;
use crate::{
    names::proto,
    netlink::{helper::Helper, timeout::Policy},
    timeouts::{PROTOCOLS, Protocol, State},
};

/// Appends a policy, or a protocol's defaults, which have no name. Every state that nfct knows has a line, with 0 seconds
/// if the message does not contain it.
pub fn policy(out: &mut Vec<u8>, policy: &Policy) {
    if let Some(name) = &policy.name {
        out.push(b'.');
        out.extend_from_slice(name);
        out.extend_from_slice(b" = {\n");
    }
    let timeouts = &policy.timeouts;
    for (key, value) in [
        ("l3proto", timeouts.l3proto),
        ("l4proto", u16::from(timeouts.l4proto)),
    ] {
        // Writing to a vector can't fail.
        let _ = writeln!(out, "\t.{key} = {value},");
    }
    let states = states(timeouts.l4proto);
    if states
        .iter()
        .any(|state| timeouts.seconds(state.attribute).is_some())
    {
        out.extend_from_slice(b"\t.policy = {\n");
        for state in states {
            out.extend_from_slice(b"\t\t.");
            out.extend(state.name.bytes().map(|letter| letter.to_ascii_uppercase()));
            out.extend_from_slice(b" = ");
            bytes::number(out, timeouts.seconds(state.attribute).unwrap_or(0));
            out.extend_from_slice(b",\n");
        }
        out.extend_from_slice(b"\t},\n");
    }
    out.extend_from_slice(b"};\n");
}

/// Appends a helper in user space.
pub fn helper(out: &mut Vec<u8>, helper: &Helper) {
    out.extend_from_slice(b"{\n\t.name = ");
    out.extend_from_slice(&helper.name);
    out.extend_from_slice(b",\n");
    for (key, value) in [
        ("queuenum", helper.queue_num),
        ("l3protonum", helper.flows.l3proto.into()),
        ("l4protonum", helper.flows.l4proto.into()),
        ("priv_data_len", helper.priv_data_len),
    ] {
        // Writing to a vector can't fail.
        let _ = writeln!(out, "\t.{key} = {value},");
    }
    let status = if helper.status == 0 { "disabled" } else { "enabled" };
    let _ = writeln!(out, "\t.status = {status},\n}};");
}

/// The protocol's states that nfct knows; none for a protocol that it does not know.
pub fn states(l4proto: u8) -> &'static [State] {
    /// SCTP's HEARTBEAT_SENT is younger.
    const OF_SCTP: usize = 7;
    let states = PROTOCOLS
        .iter()
        .find(|protocol| protocol.number == l4proto)
        .map_or(&[][..], |Protocol { states, .. }| *states);
    match l4proto {
        proto::SCTP => &states[..OF_SCTP],
        _ => states,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        netlink::{helper::PAYLOAD, timeout::Timeouts},
        timeouts::GENERIC,
    };

    fn printed(name: Option<&str>, l3proto: u16, l4proto: u8, values: &[(u16, u32)]) -> String {
        let timeouts = Timeouts {
            l3proto,
            l4proto,
            values: values.to_vec(),
        };
        let mut out = Vec::new();
        let name = name.map(|name| name.as_bytes().to_vec());
        policy(
            &mut out,
            &Policy {
                name,
                timeouts,
                uses: Some(1),
            },
        );
        String::from_utf8(out).unwrap()
    }

    /// As `nfct get timeout t1` prints it.
    #[test]
    fn a_policy_is_nfcts() {
        let expected = "\
.t1 = {
\t.l3proto = 2,
\t.l4proto = 17,
\t.policy = {
\t\t.UNREPLIED = 10,
\t\t.REPLIED = 120,
\t},
};
";
        assert_eq!(printed(Some("t1"), 2, 17, &[(1, 10), (2, 120)]), expected);
    }

    /// As `nfct default-get timeout inet6 generic` prints it.
    #[test]
    fn defaults_have_no_name() {
        let expected = "\t.l3proto = 10,\n\t.l4proto = 255,\n\t.policy = {\n\t\t.TIMEOUT = 600,\n\t},\n};\n";
        assert_eq!(printed(None, 10, GENERIC, &[(1, 600)]), expected);
    }

    /// As `nfct default-get timeout inet sctp` prints what Linux 6.18 sends.
    #[test]
    fn states_that_nfct_does_not_know_are_omitted() {
        let values: Vec<(u16, u32)> = (1..).zip([10, 3, 3, 210, 3, 3, 3, 30]).collect();
        let text = printed(None, 2, proto::SCTP, &values);
        assert!(
            text.ends_with("\t\t.SHUTDOWN_ACK_SENT = 3,\n\t},\n};\n"),
            "{text}"
        );
        assert!(
            text.contains("\t\t.CLOSED = 10,\n\t\t.COOKIE_WAIT = 3,\n"),
            "{text}"
        );
    }

    #[test]
    fn every_state_has_its_line() {
        for protocol in PROTOCOLS {
            let text = printed(Some("p"), 2, protocol.number, &[(1, 77)]);
            let states = text.lines().filter(|line| line.starts_with("\t\t."));
            assert_eq!(states.count(), states_known(protocol), "{text}");
            assert_eq!(text.matches(" = 77,").count(), 1, "{text}");
        }
        let tcp = printed(Some("p"), 2, 6, &[(11, 5)]);
        assert!(tcp.contains("\t\t.SYN_SENT = 0,\n"), "{tcp}");
        assert!(
            tcp.contains("\t\t.RETRANS = 0,\n\t\t.UNACKNOWLEDGED = 5,\n"),
            "{tcp}"
        );
    }

    fn states_known(protocol: &Protocol) -> usize {
        protocol.states.len() - usize::from(protocol.number == proto::SCTP)
    }

    /// As `nfct get helper ftp` prints it.
    #[test]
    fn a_helper_is_nfcts() {
        let mut out = Vec::new();
        let mut registered = Helper::parse(&PAYLOAD).unwrap();
        helper(&mut out, &registered);
        let expected = "{\n\t.name = ftp,\n\t.queuenum = 0,\n\t.l3protonum = 2,\n\t.l4protonum = 6,\n\
                        \t.priv_data_len = 24,\n\t.status = disabled,\n};\n";
        assert_eq!(String::from_utf8_lossy(&out), expected);
        (registered.status, registered.queue_num) = (1, 5);
        out.clear();
        helper(&mut out, &registered);
        let enabled = expected
            .replace("disabled", "enabled")
            .replace("queuenum = 0", "queuenum = 5");
        assert_eq!(String::from_utf8_lossy(&out), enabled);
    }

    /// As the library prints messages that no kernel sends.
    #[test]
    fn no_states_no_policy() {
        assert_eq!(
            printed(Some("p"), 2, 17, &[]),
            ".p = {\n\t.l3proto = 2,\n\t.l4proto = 17,\n};\n"
        );
        assert_eq!(
            printed(None, 2, 50, &[(1, 600)]),
            "\t.l3proto = 2,\n\t.l4proto = 50,\n};\n"
        );
    }
}
