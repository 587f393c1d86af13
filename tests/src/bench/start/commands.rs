//! The commands whose start is measured, and their targets.

/// One line of the table.
pub struct MeasuredCommand {
    /// The name for `--only`.
    pub name: &'static str,
    /// The command line.
    pub line: &'static [&'static str],
    /// Its first event.
    pub kind: FirstEvent,
    /// At most this many million instructions until the first event, on [`TARGET_SERIES`].
    pub target: Option<u64>,
}

/// First event of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FirstEvent {
    /// A packet's line, with packets sent all the time; then the line `causes`, after which no more programs are loaded.
    Trace,
    /// A packet's line, with packets sent all the time.
    Packet,
    /// Its line `started`.
    Watch,
    /// Its end.
    Once,
}

/// The kernel whose starts have targets.
const TARGET_SERIES: &str = "7.3";
/// At most this many millions from Ctrl-C to the end.
pub const STOP: u64 = 300;

const fn why(name: &'static str, line: &'static [&'static str]) -> MeasuredCommand {
    MeasuredCommand {
        name,
        line,
        kind: FirstEvent::Watch,
        target: None,
    }
}

/// All commands.
#[rustfmt::skip]
pub const COMMANDS: [MeasuredCommand; 13] = [
    MeasuredCommand { name: "trace", line: &["rsct", "trace", "-o", "json", "--show-hooks"], kind: FirstEvent::Trace, target: Some(250) },
    MeasuredCommand { target: Some(1500), ..why("why", &["rsct", "why", "-o", "json", "--duration", "1h"]) },
    why("why-invalid", &["rsct", "why", "invalid", "-o", "json", "--duration", "1h"]),
    why("why-delete", &["rsct", "why", "delete", "-o", "json", "--duration", "1h"]),
    why("why-insert", &["rsct", "why", "insert", "-o", "json", "--duration", "1h"]),
    why("why-drop", &["rsct", "why", "drop", "-o", "json", "--duration", "1h"]),
    why("why-nat", &["rsct", "why", "nat", "-o", "json", "--duration", "1h"]),
    why("why-full", &["rsct", "why", "full", "-o", "json", "--duration", "1h"]),
    why("why-lost", &["rsct", "why", "lost", "-o", "json", "--duration", "1h"]),
    why("why-unreplied", &["rsct", "why", "unreplied", "-o", "json", "--duration", "1h"]),
    MeasuredCommand {
        name: "latency", line: &["rsct", "latency", "-o", "json", "--duration", "1h", "--show-hooks"],
        kind: FirstEvent::Watch, target: Some(800),
    },
    MeasuredCommand {
        name: "list", line: &["rsct", "list", "--timeout-source", "-o", "wide"],
        kind: FirstEvent::Once, target: None,
    },
    MeasuredCommand { name: "doctor", line: &["rsct", "doctor"], kind: FirstEvent::Once, target: Some(2500) },
];

impl MeasuredCommand {
    /// The command line without the options that only serve the measurement.
    pub fn shown(&self) -> String {
        let words = self
            .line
            .iter()
            .filter(|word| !["--show-hooks", "--duration", "1h"].contains(word));
        words.copied().collect::<Vec<_>>().join(" ")
    }

    /// The target on the running kernel, if it has one there.
    pub fn target_on(&self, release: &str) -> Option<u64> {
        let series = release.strip_prefix(TARGET_SERIES)?;
        self.target
            .filter(|_| !series.starts_with(|c: char| c.is_ascii_digit()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_shown_without_what_the_measurement_adds() {
        let names = ["trace", "why-nat", "latency"];
        let shown = names.map(|name| {
            COMMANDS
                .iter()
                .find(|command| command.name == name)
                .unwrap()
                .shown()
        });
        assert_eq!(
            shown,
            [
                "rsct trace -o json",
                "rsct why nat -o json",
                "rsct latency -o json"
            ]
        );
    }

    #[test]
    fn a_target_holds_on_its_series_alone() {
        let trace = &COMMANDS[0];
        assert_eq!(trace.target_on("7.3.2+deb13-cloud-amd64"), Some(250));
        assert_eq!(trace.target_on("7.3-rc1"), Some(250));
        for other in ["6.12.118+deb13-cloud-amd64", "7.30.1", "17.3.1"] {
            assert_eq!(trace.target_on(other), None, "{other}");
        }
    }
}
