//! The source of a timeout, in words and in JSON.

use crate::{
    kernel::netns::NetnsName,
    netlink::conntrack::Entry,
    outside,
    timeouts::{Governing, Reduction, Setter, State, TimeoutSource},
};

use super::{bytes, words};

/// After the timeout, for people: `, policy udp-policy1`.
pub(crate) fn text(out: &mut Vec<u8>, source: &TimeoutSource<'_>) {
    out.extend_from_slice(b", ");
    name(out, source);
}

/// After the timeout, in few columns: ` udp_timeout_stream`, ` policy web`, ` unacknowledged`. Nothing if it is the
/// default timeout of the protocol's `state`.
pub(crate) fn brief(out: &mut Vec<u8>, source: &TimeoutSource<'_>, state: Option<&str>) {
    let reduction = source.governing.and_then(|governing| governing.reduction);
    match source.setter {
        Setter::Defaults => {
            match source.governing {
                Some(Governing {
                    state: own,
                    reduction: None,
                }) if state.is_some_and(|state| state.eq_ignore_ascii_case(own.name)) => {}
                Some(governing) => {
                    let Governing {
                        state: own,
                        reduction,
                    } = governing;
                    let default = own.sysctl.unwrap_or(own.name);
                    out.push(b' ');
                    bytes::short(out, reduction.map_or(default, Reduction::name).as_bytes());
                }
                None => out.extend_from_slice(b" (source unknown)"),
            }
            return;
        }
        Setter::Policy([]) | Setter::LostPolicy => out.extend_from_slice(b" unknown policy"),
        Setter::Policy(names) => either(out, " policy ", names),
        Setter::Nftables(names) => either(out, " nft timeout ", names),
        Setter::Fixed => out.extend_from_slice(b" fixed"),
        Setter::Netlink => out.extend_from_slice(b" by user space"),
        Setter::Unknown => out.extend_from_slice(b" (source unknown)"),
    }
    if let Some(reduction) = reduction {
        out.extend_from_slice(b", ");
        out.extend_from_slice(reduction.name().as_bytes());
    }
}

/// Among an entry's details: `timeout="300s, policy udp-policy1" `.
pub(crate) fn detail(out: &mut Vec<u8>, source: &TimeoutSource<'_>) {
    out.extend_from_slice(b"timeout=\"");
    if let Some(ms) = source.value_ms {
        bytes::number(out, ms / 1000);
        out.extend_from_slice(b"s, ");
    }
    name(out, source);
    out.extend_from_slice(b"\" ");
}

/// A line for an existing entry: `udp 10.0.0.1:1 > 10.0.0.2:2  29s left of 30s, nf_conntrack_udp_timeout`.
pub(crate) fn of_entry(
    out: &mut Vec<u8>,
    entry: &Entry<'_>,
    source: &TimeoutSource<'_>,
    netns: Option<&NetnsName>,
) {
    if let Some(netns) = netns {
        out.extend_from_slice(netns.name.to_string().as_bytes());
        out.push(b' ');
    }
    words::tuple(out, &entry.orig);
    out.extend_from_slice(b"  ");
    left(out, entry, source);
    out.push(b'\n');
}

/// The line of an entry that a recording begins with: a dump does not contain the source.
pub(crate) fn of_dumped_entry(out: &mut Vec<u8>, entry: &Entry<'_>, netns: Option<&NetnsName>) {
    if let Some(netns) = netns {
        out.extend_from_slice(netns.name.to_string().as_bytes());
        out.push(b' ');
    }
    words::tuple(out, &entry.orig);
    out.extend_from_slice(b"  ");
    bytes::number(out, entry.timeout.unwrap_or(0));
    out.extend_from_slice(b"s left, source unknown before its next packet\n");
}

/// The time left of an entry's timeout: `29s left of 30s, nf_conntrack_udp_timeout`.
pub(crate) fn left(out: &mut Vec<u8>, entry: &Entry<'_>, source: &TimeoutSource<'_>) {
    bytes::number(out, entry.timeout.unwrap_or(0));
    out.extend_from_slice(b"s left");
    if let Some(ms) = source.value_ms {
        out.extend_from_slice(b" of ");
        bytes::number(out, ms / 1000);
        out.push(b's');
    }
    text(out, source);
}

fn name(out: &mut Vec<u8>, source: &TimeoutSource<'_>) {
    match source.setter {
        Setter::Policy([]) => out.extend_from_slice(b"a policy that was changed or deleted"),
        Setter::Policy(names) => either(out, "policy ", names),
        Setter::Nftables(names) => either(out, "nftables timeout ", names),
        Setter::LostPolicy => out.extend_from_slice(b"a policy (its record was lost)"),
        Setter::Fixed => return out.extend_from_slice(b"fixed"),
        Setter::Unknown => return out.extend_from_slice(b"unknown: its record may be lost"),
        Setter::Netlink => {
            return out.extend_from_slice(b"set by user space: longer than its protocol's timeouts");
        }
        Setter::Defaults => {
            if let Some(governing) = source.governing {
                default(out, governing.state);
            }
        }
    }
    match source.governing {
        Some(governing) => {
            if let Some(reduction) = governing.reduction {
                out.extend_from_slice(b": ");
                out.extend_from_slice(reduction.meaning().as_bytes());
            }
        }
        None if source.setter == Setter::Defaults => {
            out.extend_from_slice(b"none of its protocol's timeouts");
        }
        None => out.extend_from_slice(b", but none of its values"),
    }
}

/// A default by its sysctl, or by its state if it has no sysctl.
fn default(out: &mut Vec<u8>, state: &State) {
    match state.sysctl {
        Some(sysctl) => {
            out.extend_from_slice(b"nf_conntrack_");
            out.extend_from_slice(sysctl.as_bytes());
        }
        None => {
            out.extend_from_slice(b"the default of ");
            out.extend_from_slice(state.name.as_bytes());
        }
    }
}

/// A member of an object: `"timeout_source":{…}`.
pub(crate) fn json(out: &mut Vec<u8>, source: &TimeoutSource<'_>) {
    out.extend_from_slice(b"\"timeout_source\":{\"setter\":");
    let setter: &[u8] = match (source.setter, source.governing) {
        (Setter::Policy(_) | Setter::LostPolicy, _) => b"\"policy\"",
        (Setter::Nftables(_), _) => b"\"nftables\"",
        (Setter::Defaults, Some(_)) => b"\"default\"",
        (Setter::Defaults, None) | (Setter::Unknown, _) => b"\"unknown\"",
        (Setter::Fixed, _) => b"\"fixed\"",
        (Setter::Netlink, _) => b"\"user_space\"",
    };
    out.extend_from_slice(setter);
    if let Setter::Policy(names) | Setter::Nftables(names) = source.setter {
        match names {
            [] => {}
            [name] => {
                out.extend_from_slice(b",\"policy\":");
                quoted(out, name);
            }
            [first, others @ ..] => {
                out.extend_from_slice(b",\"policies\":[");
                quoted(out, first);
                for name in others {
                    out.push(b',');
                    quoted(out, name);
                }
                out.push(b']');
            }
        }
    }
    if let Some(governing) = source.governing {
        if source.setter == Setter::Defaults
            && let Some(sysctl) = governing.state.sysctl
        {
            out.extend_from_slice(b",\"sysctl\":\"net.netfilter.nf_conntrack_");
            out.extend_from_slice(sysctl.as_bytes());
            out.push(b'"');
        }
        out.extend_from_slice(b",\"timeout_state\":\"");
        out.extend_from_slice(governing.state.name.as_bytes());
        out.push(b'"');
        if let Some(reduction) = governing.reduction {
            out.extend_from_slice(b",\"reduction\":\"");
            out.extend_from_slice(reduction.name().as_bytes());
            out.push(b'"');
        }
        if let Some(ms) = source.value_ms {
            out.extend_from_slice(b",\"value_s\":");
            bytes::number(out, ms / 1000);
        }
    }
    out.push(b'}');
}

/// `policy web or api`; the kind is `policy `.
fn either(out: &mut Vec<u8>, kind: &str, names: &[String]) {
    out.extend_from_slice(kind.as_bytes());
    for (index, name) in names.iter().enumerate() {
        if index != 0 {
            out.extend_from_slice(b" or ");
        }
        printable(out, name);
    }
}

fn quoted(out: &mut Vec<u8>, name: &str) {
    out.push(b'"');
    bytes::json_text(out, name.as_bytes());
    out.push(b'"');
}

/// A policy's name may hold anything, including terminal escapes.
fn printable(out: &mut Vec<u8>, name: &str) {
    out.extend_from_slice(outside::shown(name.as_bytes()).as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::timeouts::Protocol;

    fn governing(protocol: &str, state: &str, reduction: Option<Reduction>) -> Option<Governing> {
        let state = Protocol::named(protocol)?.state(state)?;
        Some(Governing { state, reduction })
    }

    fn both(source: TimeoutSource<'_>) -> (String, String) {
        let (mut words, mut object) = (Vec::new(), Vec::new());
        text(&mut words, &source);
        json(&mut object, &source);
        let string = |bytes| String::from_utf8(bytes).expect("it is text");
        (string(words), string(object))
    }

    #[test]
    fn a_brief_source_is_absent_only_if_the_state_implies_it() {
        let names = ["web".to_owned()];
        let shortened = Some(Reduction::Unacknowledged);
        for (setter, governing, expected) in [
            (Setter::Defaults, governing("tcp", "established", None), ""),
            (
                Setter::Defaults,
                governing("tcp", "fin_wait", None),
                " tcp_timeout_fin_wait",
            ),
            (
                Setter::Defaults,
                governing("tcp", "unacknowledged", shortened),
                " unacknowledged",
            ),
            (
                Setter::Defaults,
                governing("udp", "replied", None),
                " udp_timeout_stream",
            ),
            (Setter::Defaults, None, " (source unknown)"),
            (
                Setter::Policy(&names),
                governing("tcp", "established", None),
                " policy web",
            ),
            (
                Setter::Policy(&names),
                governing("tcp", "unacknowledged", shortened),
                " policy web, unacknowledged",
            ),
            (Setter::Policy(&[]), None, " unknown policy"),
            (Setter::LostPolicy, None, " unknown policy"),
            (Setter::Nftables(&names), None, " nft timeout web"),
            (Setter::Fixed, None, " fixed"),
            (Setter::Netlink, None, " by user space"),
            (Setter::Unknown, None, " (source unknown)"),
        ] {
            let mut out = Vec::new();
            let source = TimeoutSource {
                setter,
                governing,
                value_ms: None,
            };
            brief(&mut out, &source, Some("ESTABLISHED"));
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
    }

    #[test]
    fn a_policy_has_its_name() {
        let names = ["udp-policy1".to_owned()];
        let (words, object) = both(TimeoutSource {
            setter: Setter::Policy(&names),
            governing: governing("udp", "replied", None),
            value_ms: Some(300_000),
        });
        assert_eq!(words, ", policy udp-policy1");
        assert_eq!(
            object,
            r#""timeout_source":{"setter":"policy","policy":"udp-policy1","timeout_state":"replied","value_s":300}"#
        );
    }

    #[test]
    fn a_default_has_its_sysctl_and_reduction() {
        let (words, object) = both(TimeoutSource {
            setter: Setter::Defaults,
            governing: governing("tcp", "unacknowledged", Some(Reduction::Unacknowledged)),
            value_ms: None,
        });
        assert_eq!(
            words,
            ", nf_conntrack_tcp_timeout_unacknowledged: data unacknowledged"
        );
        assert_eq!(
            object,
            r#""timeout_source":{"setter":"default","sysctl":"net.netfilter.nf_conntrack_tcp_timeout_unacknowledged","timeout_state":"unacknowledged","reduction":"unacknowledged"}"#
        );
    }

    #[test]
    fn equal_policies_are_all_named() {
        let names = ["web".to_owned(), "api".to_owned()];
        let (words, object) = both(TimeoutSource {
            setter: Setter::Nftables(&names),
            governing: None,
            value_ms: None,
        });
        assert_eq!(words, ", nftables timeout web or api, but none of its values");
        assert_eq!(
            object,
            r#""timeout_source":{"setter":"nftables","policies":["web","api"]}"#
        );
    }

    #[test]
    fn an_unknown_source_is_reported() {
        let (words, object) = both(TimeoutSource {
            setter: Setter::Defaults,
            governing: None,
            value_ms: None,
        });
        assert_eq!(words, ", none of its protocol's timeouts");
        assert_eq!(object, r#""timeout_source":{"setter":"unknown"}"#);
        let (words, object) = both(TimeoutSource::of(Setter::Unknown));
        assert_eq!(words, ", unknown: its record may be lost");
        assert_eq!(object, r#""timeout_source":{"setter":"unknown"}"#);
        let (words, _) = both(TimeoutSource {
            setter: Setter::Policy(&[]),
            governing: governing("udp", "replied", None),
            value_ms: None,
        });
        assert_eq!(words, ", a policy that was changed or deleted");
    }
}
