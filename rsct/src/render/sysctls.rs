//! Conntrack's settings, as text and as JSON.

use std::{fmt::Display, io::Write as _};

use super::{bytes, namespace};
use crate::{
    kernel::{hz::Hz, netns::NetnsName},
    schema::settings::Setting,
    sysctls::{Bounds, Known, short},
};

/// A setting and its description.
#[derive(Clone, Debug)]
pub(crate) struct Line<'a> {
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
pub(crate) fn header(out: &mut Vec<u8>, netns: Option<usize>) {
    if let Some(width) = netns {
        put(out, format_args!("{:width$} ", "NETNS"));
    }
    put(
        out,
        format_args!("{:25} {:>10}  {:19} MEANING\n", "NAME", "VALUE", "BOUNDS"),
    );
}

/// Appends a line of columns.
pub(crate) fn text(out: &mut Vec<u8>, line: &Line<'_>, netns: &NetnsName, column: Option<usize>) {
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
pub(crate) fn json(out: &mut Vec<u8>, line: &Line<'_>, netns: Option<&NetnsName>) {
    let known = line.known.as_ref();
    let bounds = known.and_then(|known| known.bounds.numbers(line.hz));
    let timeout_of = known.and_then(|known| known.timeout_of);
    let object = Setting {
        writable: Some(line.writable),
        first_namespace_only: known.map(|known| known.first_only),
        min: bounds.map(|(least, _)| least),
        max: bounds.map(|(_, most)| most),
        proto: timeout_of.map(|(protocol, _)| protocol),
        timeout_state: timeout_of.map(|(_, state)| state),
        meaning: known.map(|known| known.meaning),
        ..setting(line.name, line.value, netns)
    };
    bytes::json_line(out, &object);
}

/// Appends a line for a changed setting.
pub(crate) fn changed_text(
    out: &mut Vec<u8>,
    name: &str,
    before: &str,
    after: &str,
    netns: &NetnsName,
    column: Option<usize>,
) {
    namespace::column(out, netns, column);
    put(out, format_args!("{}: {before} → {after}\n", short(name)));
}

/// Appends a JSON object for a changed setting.
pub(crate) fn changed_json(
    out: &mut Vec<u8>,
    name: &str,
    before: &str,
    after: &str,
    netns: Option<&NetnsName>,
) {
    let (value_before, value_before_text) = number_or_text(before);
    let object = Setting {
        value_before,
        value_before_text,
        ..setting(name, after, netns)
    };
    bytes::json_line(out, &object);
}

fn setting<'a>(name: &'a str, value: &'a str, netns: Option<&'a NetnsName>) -> Setting<'a> {
    let (value, value_text) = number_or_text(value);
    Setting {
        netns: netns.into(),
        sysctl: name,
        short: short(name),
        value,
        value_text,
        ..Setting::default()
    }
}

/// A number, as most are, or a text.
fn number_or_text(value: &str) -> (Option<u64>, Option<&str>) {
    match value.parse() {
        Ok(number) => (Some(number), None),
        Err(_) => (None, Some(value)),
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
