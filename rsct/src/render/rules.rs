//! The rules that attach timeout policies, as text and as JSON.

use std::{fmt::Display, io::Write as _};

use super::{bytes, namespace};
use crate::{
    filter::Prefix,
    kernel::netns::NetnsName,
    names::proto,
    outside,
    rules::{Hook, Listed, Matching, Tool},
    schema::{
        common::Word,
        settings::{self, Match},
    },
};

/// Widths of the columns.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Widths {
    netns: Option<usize>,
    policy: usize,
}

impl Widths {
    /// The widths that these rules need.
    pub(crate) fn of<'a>(rules: impl IntoIterator<Item = &'a Listed>, netns: Option<usize>) -> Self {
        let longest = rules.into_iter().map(|rule| policy(rule).chars().count()).max();
        Self {
            netns,
            policy: longest.unwrap_or(0).max("POLICY".len()),
        }
    }
}

/// Appends the columns' names.
pub(crate) fn header(out: &mut Vec<u8>, widths: Widths) {
    if let Some(width) = widths.netns {
        put(out, format_args!("{:width$} ", "NETNS"));
    }
    put(
        out,
        format_args!("{:width$}  MADE BY  RULE\n", "POLICY", width = widths.policy),
    );
}

/// Appends a line of columns.
pub(crate) fn text(out: &mut Vec<u8>, rule: &Listed, netns: &NetnsName, widths: Widths) {
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
pub(crate) fn json(out: &mut Vec<u8>, rule: &Listed, netns: Option<&NetnsName>) {
    let object = settings::Rule {
        netns: netns.into(),
        policy: &rule.name,
        policies: rule.candidates.iter().map(String::as_str).collect(),
        made_by: maker(rule),
        tool: rule.tool.name(),
        family: rule.family.map(|family| family.name().into()),
        table: &rule.table,
        chain: &rule.chain,
        hook: rule.hook.map(|hook| match hook {
            Hook::Prerouting => "PRE_ROUTING".into(),
            Hook::Output => "LOCAL_OUT".into(),
        }),
        rule: command(rule),
        matching: rule.matching.as_ref().map(matched),
    };
    bytes::json_line(out, &object);
}

fn matched(matching: &Matching) -> Match<'_> {
    let prefix = |prefix: Prefix| format!("{}/{}", prefix.addr, prefix.bits);
    Match {
        proto: proto::name(matching.proto).map(Word::from),
        protonum: matching.proto,
        src_prefix: matching.src.map(prefix),
        dst_prefix: matching.dst.map(prefix),
        sport_min: matching.sport.map(|ports| ports.first),
        sport_max: matching.sport.map(|ports| ports.last),
        dport_min: matching.dport.map(|ports| ports.first),
        dport_max: matching.dport.map(|ports| ports.last),
        in_interface: matching.in_iface.as_deref(),
        out_interface: matching.out_iface.as_deref(),
    }
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
