//! The timeouts of protocols' states, as text and as JSON.

use std::{fmt::Display, io::Write as _};

use super::{bytes, color::Palette, namespace};
use crate::{
    kernel::netns::NetnsName,
    schema::settings::{TimeoutChange, TimeoutValue},
    timeouts::{Protocol, State},
};

/// A state and its timeout.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Line {
    /// The protocol.
    pub protocol: &'static Protocol,
    /// The state.
    pub state: &'static State,
    /// The timeout in force; none if this kernel does not report it.
    pub seconds: Option<u32>,
    /// The kernel's own default, if it was measured.
    pub builtin: Option<u32>,
    /// Number of entries in the state; none if entries do not show the state.
    pub entries: Option<u64>,
}

impl Line {
    /// Returns whether it differs from the default, if that is known.
    fn is_changed(&self) -> Option<bool> {
        Some(self.seconds? != self.builtin?)
    }
}

/// Appends the columns' names.
pub(crate) fn header(out: &mut Vec<u8>, netns: Option<usize>) {
    if let Some(width) = netns {
        put(out, format_args!("{:width$} ", "NETNS"));
    }
    put(
        out,
        format_args!(
            "{:8} {:17} {:>10}  {:>10} {:>9}  MEANING\n",
            "PROTO", "STATE", "SECONDS", "DEFAULT", "ENTRIES"
        ),
    );
}

/// Appends a line of columns.
pub(crate) fn text(
    out: &mut Vec<u8>,
    line: &Line,
    netns: &NetnsName,
    column: Option<usize>,
    palette: Palette,
) {
    namespace::column(out, netns, column);
    let changed = line.is_changed() == Some(true);
    let (strong, reset) = if changed {
        (palette.strong, palette.reset)
    } else {
        (&b""[..], &b""[..])
    };
    put(
        out,
        format_args!("{:8} {:17} ", line.protocol.name, line.state.name),
    );
    out.extend_from_slice(strong);
    put(out, format_args!("{:>10}", Known(line.seconds)));
    out.extend_from_slice(reset);
    out.push(if changed { b'*' } else { b' ' });
    put(
        out,
        format_args!(
            " {:>10} {:>9}  {}\n",
            Known(line.builtin),
            Known(line.entries),
            line.state.meaning
        ),
    );
}

/// Appends a JSON object.
pub(crate) fn json(out: &mut Vec<u8>, line: &Line, netns: Option<&NetnsName>) {
    let object = TimeoutValue {
        netns: netns.into(),
        proto: line.protocol.name,
        protonum: line.protocol.number,
        timeout_state: line.state.name,
        value_s: line.seconds,
        default_s: line.builtin,
        changed: line.is_changed(),
        entries: line.entries,
        sysctl: line.state.sysctl_name(),
        meaning: line.state.meaning,
    };
    bytes::json_line(out, &object);
}

/// A timeout that has been changed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Changed {
    /// The protocol.
    pub protocol: &'static Protocol,
    /// The state.
    pub state: &'static State,
    /// The seconds before, if known.
    pub before: Option<u32>,
    /// The seconds now.
    pub after: u32,
}

impl Changed {
    /// Appends a line.
    pub(crate) fn text(&self, out: &mut Vec<u8>, netns: &NetnsName, column: Option<usize>) {
        namespace::column(out, netns, column);
        put(
            out,
            format_args!(
                "{} {}: {} → {} seconds\n",
                self.protocol.name,
                self.state.name,
                Known(self.before),
                self.after
            ),
        );
    }

    /// Appends a JSON object.
    pub(crate) fn json(&self, out: &mut Vec<u8>, netns: Option<&NetnsName>) {
        let object = TimeoutChange {
            netns: netns.into(),
            proto: self.protocol.name,
            protonum: self.protocol.number,
            timeout_state: self.state.name,
            value_before_s: self.before,
            value_s: self.after,
        };
        bytes::json_line(out, &object);
    }
}

/// A number, or a dash if unknown.
struct Known<T>(Option<T>);

impl<T: Display> Display for Known<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.0 {
            Some(value) => value.fmt(f),
            None => f.pad("-"),
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

    fn line(seconds: u32, builtin: Option<u32>) -> Line {
        let protocol = Protocol::named("udp").unwrap();
        Line {
            protocol,
            state: protocol.state("replied").unwrap(),
            seconds: Some(seconds),
            builtin,
            entries: Some(7),
        }
    }

    fn written(line: &Line) -> String {
        let mut out = Vec::new();
        text(&mut out, line, &netns::current().unwrap(), None, Palette::PLAIN);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_changed_timeout_stands_out() {
        for (seconds, builtin, expected) in [
            (300, Some(120), ["300*", "120", "7"]),
            (120, Some(120), ["120", "120", "7"]),
            (300, None, ["300", "-", "7"]),
        ] {
            let written = written(&line(seconds, builtin));
            let words: Vec<&str> = written.split_whitespace().skip(2).take(3).collect();
            assert_eq!(words, expected, "{written}");
        }
    }

    #[test]
    fn a_default_that_was_not_measured_is_absent_in_json() {
        let mut out = Vec::new();
        json(&mut out, &line(300, None), None);
        let value: serde_json::Value = serde_json::from_slice(&out).unwrap();
        assert!(
            value.get("default_s").is_none() && value.get("changed").is_none(),
            "{value}"
        );
        assert_eq!(value["sysctl"], "net.netfilter.nf_conntrack_udp_timeout_stream");
        out.clear();
        json(&mut out, &line(300, Some(120)), None);
        let value: serde_json::Value = serde_json::from_slice(&out).unwrap();
        assert_eq!((&value["changed"], &value["entries"]), (&true.into(), &7.into()));
    }
}
