//! Conntrack's settings, as text and as JSON.

use std::{fmt::Display, io::Write as _};

use super::{bytes, namespace};
use crate::{
    kernel::{hz::Hz, netns::Netns},
    sysctls::{Bounds, Known, short},
};

/// A setting and its description.
#[derive(Clone, Debug)]
pub struct Line<'a> {
    /// Its full name.
    pub name: &'a str,
    /// Its value.
    pub value: &'a str,
    /// True if it is writable here.
    pub writable: bool,
    /// Its description.
    pub known: Option<Known>,
    /// Needed for bounds that depend on it.
    pub hz: Option<Hz>,
}

impl Line<'_> {
    fn bounds(&self) -> String {
        if !self.writable {
            return "read-only".to_owned();
        }
        let Some(known) = &self.known else {
            return "?".to_owned();
        };
        match known.bounds {
            Bounds::BytesFrom(other) => format!("{other}-"),
            Bounds::BytesUpTo(other) => format!("0-{other}"),
            bounds => match bounds.numbers(self.hz) {
                Some((least, most)) => format!("{least}-{most}"),
                None => "?".to_owned(),
            },
        }
    }

    fn meaning(&self) -> String {
        let Some(known) = &self.known else {
            return "(not known to this version of rsct)".to_owned();
        };
        let mut meaning = match known.timeout_of {
            Some((protocol, state)) => format!("timeout of {protocol} {state}: {}", known.meaning),
            None => known.meaning.to_owned(),
        };
        if known.first_only {
            meaning.push_str("; only the first network namespace can set it");
        }
        meaning
    }
}

/// Appends the columns' names.
pub fn header(out: &mut Vec<u8>, netns: Option<usize>) {
    if let Some(width) = netns {
        put(out, format_args!("{:width$} ", "NETNS"));
    }
    put(
        out,
        format_args!("{:25} {:>10}  {:19} MEANING\n", "NAME", "VALUE", "BOUNDS"),
    );
}

/// Appends a line of columns.
pub fn text(out: &mut Vec<u8>, line: &Line<'_>, netns: &Netns, column: Option<usize>) {
    namespace::column(out, netns, column);
    put(
        out,
        format_args!(
            "{:25} {:>10}  {:19} {}\n",
            short(line.name),
            line.value,
            line.bounds(),
            line.meaning()
        ),
    );
}

/// Appends a JSON object.
pub fn json(out: &mut Vec<u8>, line: &Line<'_>, netns: Option<&Netns>) {
    begin(out, line.name, netns);
    out.extend_from_slice(b",\"value\":");
    value(out, line.value);
    put(out, format_args!(",\"writable\":{}", line.writable));
    if let Some(known) = &line.known {
        put(
            out,
            format_args!(",\"first_namespace_only\":{}", known.first_only),
        );
        if let Some((least, most)) = known.bounds.numbers(line.hz) {
            put(out, format_args!(",\"min\":{least},\"max\":{most}"));
        }
        if let Some((protocol, state)) = known.timeout_of {
            put(
                out,
                format_args!(",\"proto\":\"{protocol}\",\"state\":\"{state}\""),
            );
        }
        out.extend_from_slice(b",\"meaning\":\"");
        bytes::json_text(out, known.meaning.as_bytes());
        out.push(b'"');
    }
    out.extend_from_slice(b"}\n");
}

/// Appends a line for a changed setting.
pub fn changed_text(
    out: &mut Vec<u8>,
    name: &str,
    before: &str,
    after: &str,
    netns: &Netns,
    column: Option<usize>,
) {
    namespace::column(out, netns, column);
    put(out, format_args!("{}: {before} → {after}\n", short(name)));
}

/// Appends a JSON object for a changed setting.
pub fn changed_json(out: &mut Vec<u8>, name: &str, before: &str, after: &str, netns: Option<&Netns>) {
    begin(out, name, netns);
    out.extend_from_slice(b",\"before\":");
    value(out, before);
    out.extend_from_slice(b",\"value\":");
    value(out, after);
    out.extend_from_slice(b"}\n");
}

fn begin(out: &mut Vec<u8>, name: &str, netns: Option<&Netns>) {
    out.push(b'{');
    namespace::json(out, netns);
    put(
        out,
        format_args!("\"name\":\"{name}\",\"short\":\"{}\"", short(name)),
    );
}

/// A number, as most are, or a text.
fn value(out: &mut Vec<u8>, value: &str) {
    match value.parse::<u64>() {
        Ok(number) => bytes::number(out, number),
        Err(_) => {
            out.push(b'"');
            bytes::json_text(out, value.as_bytes());
            out.push(b'"');
        }
    }
}

fn put(out: &mut Vec<u8>, what: impl Display) {
    // Writing to a Vec can't fail.
    let _ = write!(out, "{what}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::netns;

    fn line(name: &'static str, writable: bool) -> Line<'static> {
        Line {
            name,
            value: "7",
            writable,
            known: Known::of(name),
            hz: None,
        }
    }

    fn shown(line: &Line<'_>) -> (String, serde_json::Value) {
        let mut out = Vec::new();
        text(&mut out, line, &netns::current().unwrap(), None);
        let mut object = Vec::new();
        json(&mut object, line, None);
        (
            String::from_utf8(out).unwrap(),
            serde_json::from_slice(&object).unwrap(),
        )
    }

    #[test]
    fn a_known_setting_has_bounds_and_a_meaning() {
        let (text, json) = shown(&line("net.netfilter.nf_conntrack_max", true));
        assert!(
            text.starts_with("max  ") && text.contains(" 7  0-2147483647 "),
            "{text}"
        );
        assert!(
            text.ends_with("; only the first network namespace can set it\n"),
            "{text}"
        );
        assert_eq!((&json["value"], &json["max"]), (&7.into(), &i32::MAX.into()));
        assert_eq!(json["first_namespace_only"], true);
        let (text, _) = shown(&line("net.netfilter.nf_conntrack_max", false));
        assert!(text.contains(" 7  read-only "), "{text}");
    }

    #[test]
    fn an_unknown_setting_is_listed() {
        let (text, json) = shown(&line("net.netfilter.nf_conntrack_unheard_of", true));
        assert!(
            text.starts_with("unheard_of ") && text.contains("not known"),
            "{text}"
        );
        assert_eq!((&json["value"], json.get("meaning")), (&7.into(), None));
    }
}
