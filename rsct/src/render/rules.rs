//! The rules that attach timeout policies, as text and as JSON.

use std::{fmt::Display, io::Write as _};

use super::{bytes, namespace};
use crate::{
    flow::names::proto,
    kernel::netns::Netns,
    outside,
    rules::{Listed, Matching, Ports, Tool},
};

/// Widths of the columns.
#[derive(Clone, Copy, Debug)]
pub struct Widths {
    netns: Option<usize>,
    policy: usize,
}

impl Widths {
    /// The widths that these rules need.
    pub fn of<'a>(rules: impl IntoIterator<Item = &'a Listed>, netns: Option<usize>) -> Self {
        let longest = rules.into_iter().map(|rule| policy(rule).chars().count()).max();
        Self {
            netns,
            policy: longest.unwrap_or(0).max("POLICY".len()),
        }
    }
}

/// Appends the columns' names.
pub fn header(out: &mut Vec<u8>, widths: Widths) {
    if let Some(width) = widths.netns {
        put(out, format_args!("{:width$} ", "NETNS"));
    }
    put(
        out,
        format_args!("{:width$}  MADE BY  RULE\n", "POLICY", width = widths.policy),
    );
}

/// Appends a line of columns.
pub fn text(out: &mut Vec<u8>, rule: &Listed, netns: &Netns, widths: Widths) {
    namespace::column(out, netns, widths.netns);
    let line = format!(
        "{:width$}  {:7}  {}",
        policy(rule),
        maker(rule),
        command(rule),
        width = widths.policy
    );
    // The rule is from outside: it may contain terminal controls.
    out.extend_from_slice(outside::shown(line.as_bytes()).as_bytes());
    out.push(b'\n');
}

/// Appends a JSON object.
pub fn json(out: &mut Vec<u8>, rule: &Listed, netns: Option<&Netns>) {
    out.push(b'{');
    namespace::json(out, netns);
    member(out, "policy", &rule.name);
    if !rule.candidates.is_empty() {
        out.extend_from_slice(b",\"policy_may_be\":[");
        for (index, candidate) in rule.candidates.iter().enumerate() {
            out.extend_from_slice(if index == 0 { b"\"" } else { b",\"" });
            bytes::json_text(out, candidate.as_bytes());
            out.push(b'"');
        }
        out.push(b']');
    }
    let mut next = |name: &str, value: Option<&str>| {
        if let Some(value) = value {
            out.push(b',');
            member(out, name, value);
        }
    };
    next("made_by", Some(maker(rule)));
    next("tool", Some(rule.tool.name()));
    next("family", rule.family.map(|family| family.name()));
    next("table", Some(&rule.table));
    next("chain", Some(&rule.chain));
    next("hook", rule.hook.map(|hook| hook.name()));
    next("rule", Some(&command(rule)));
    if let Some(matching) = &rule.matching {
        match_json(out, matching);
    }
    out.extend_from_slice(b"}\n");
}

fn match_json(out: &mut Vec<u8>, matching: &Matching) {
    out.extend_from_slice(b",\"match\":{");
    if let Some(name) = proto::name(matching.proto) {
        member(out, "proto", name);
        out.push(b',');
    }
    put(out, format_args!("\"protonum\":{}", matching.proto));
    for (name, prefix) in [("src", matching.src), ("dst", matching.dst)] {
        if let Some(prefix) = prefix {
            put(
                out,
                format_args!(",\"{name}\":\"{}/{}\"", prefix.addr, prefix.bits),
            );
        }
    }
    for (name, ports) in [("sport", matching.sport), ("dport", matching.dport)] {
        if let Some(Ports { first, last }) = ports {
            put(out, format_args!(",\"{name}\":[{first},{last}]"));
        }
    }
    for (name, interface) in [
        ("in_iface", &matching.in_iface),
        ("out_iface", &matching.out_iface),
    ] {
        if let Some(interface) = interface {
            out.push(b',');
            member(out, name, interface);
        }
    }
    out.push(b'}');
}

fn member(out: &mut Vec<u8>, name: &str, value: &str) {
    put(out, format_args!("\"{name}\":\""));
    bytes::json_text(out, value.as_bytes());
    out.push(b'"');
}

fn maker(rule: &Listed) -> &'static str {
    if rule.ours { "rsct" } else { "others" }
}

/// Its name, or the candidates.
fn policy(rule: &Listed) -> String {
    if rule.candidates.is_empty() {
        rule.name.clone()
    } else {
        rule.candidates.join(" or ")
    }
}

/// The command that would create it.
fn command(rule: &Listed) -> String {
    match rule.tool {
        Tool::Nft => format!("nft {}", rule.text),
        tool => format!("{} -t {} {}", tool.name(), rule.table, rule.text),
    }
}

fn put(out: &mut Vec<u8>, text: impl Display) {
    // Writing to a Vec can't fail.
    let _ = write!(out, "{text}");
}
