//! The simulation of other timeouts, for people and as JSON.

use std::{io::Write as _, time::Duration};

use rsct_common::Tuple;

use crate::{
    plural,
    schema::{
        settings::{self, WhatIfFlow},
        tag,
    },
    what_if::{Incident, IncidentKind, TimeoutTrial, Totals},
};

use super::{bytes, words};

/// The result at the end of the watch.
#[derive(Debug)]
pub(crate) struct Report<'a> {
    /// The simulated timeouts.
    pub trial: &'a TimeoutTrial,
    /// Duration of the watch.
    pub watched: Duration,
    /// When it began, by the monotonic clock.
    pub started_ns: u64,
    /// Numbers of entries.
    pub totals: Totals,
    /// Entries that the trial does not concern.
    pub others: u64,
    /// Records that were lost.
    pub lost: u64,
    /// Entries with another fate, the most affected first.
    pub incidents: &'a [Incident],
    /// How many of each kind are listed.
    pub most: usize,
    /// True to print namespaces.
    pub show_netns: bool,
}

/// The change in percent; none if there is nothing to change.
fn percent(now: u64, then: u64) -> Option<f64> {
    (now != 0).then(|| (then as f64 - now as f64) * 100.0 / now as f64)
}

impl Report<'_> {
    /// For people.
    pub(crate) fn text(&self, out: &mut Vec<u8>) {
        let totals = &self.totals;
        // Writing to a Vec cannot fail.
        let _ = write!(out, "what if {}", self.trial.protocol.name);
        for (attribute, ms) in &self.trial.values {
            let state = self.trial.protocol.state_of_attribute(*attribute);
            let _ = write!(out, " {}={}s", state.map_or("?", |state| state.name), ms / 1000);
        }
        let _ = writeln!(
            out,
            ", watched for {:.1} s; no timeout was changed\n",
            self.watched.as_secs_f64()
        );
        let _ = writeln!(out, "{:<24} {:>10} {:>10}", "ENTRIES", "NOW", "THEN");
        row(out, "all", totals.now + self.others, totals.then + self.others);
        row(out, self.trial.protocol.name, totals.now, totals.then);
        let _ = writeln!(
            out,
            "\n{:>10} would have expired, without a packet since\n\
             {:>10} expired and would still exist\n\
             {:>10} flows would have been cut off while in use",
            totals.expired, totals.lived_on, totals.cut_off
        );
        if totals.unknown != 0 {
            let _ = writeln!(
                out,
                "{:>10} entries without a packet are counted unchanged",
                totals.unknown
            );
        }
        if self.lost != 0 {
            let _ = writeln!(
                out,
                "{:>10} {} LOST: the figures may be wrong by up to that number",
                self.lost,
                plural::choose(&self.lost, "record was", "records were")
            );
        }
        self.list(out, "cut off while in use", |fate| {
            matches!(fate, IncidentKind::CutOff { .. })
        });
        self.list(out, "would have expired", |fate| {
            matches!(fate, IncidentKind::Expired { .. })
        });
        self.list(out, "would still exist", |fate| {
            matches!(fate, IncidentKind::LivedOn { .. })
        });
    }

    fn list(&self, out: &mut Vec<u8>, title: &str, is_it: impl Fn(&IncidentKind) -> bool) {
        let mut matching = self
            .incidents
            .iter()
            .filter(|incident| is_it(&incident.kind))
            .peekable();
        if matching.peek().is_none() || self.most == 0 {
            return;
        }
        let _ = writeln!(out, "\n{title}:");
        for incident in matching.by_ref().take(self.most) {
            if self.show_netns {
                let _ = write!(out, "netns {} ", incident.key.netns);
            }
            let tuple = Tuple::from_words(incident.key.orig);
            words::tuple(out, &tuple);
            let _ = match incident.kind {
                IncidentKind::CutOff { late_ms } => write!(
                    out,
                    "  first after {:.1} s, by a packet {:.1} s too late",
                    incident.time_ns.saturating_sub(self.started_ns) as f64 / 1e9,
                    late_ms as f64 / 1e3
                ),
                IncidentKind::Expired { since_ms } => write!(out, "  {:.1} s ago", since_ms as f64 / 1e3),
                IncidentKind::LivedOn { left_ms } => {
                    write!(out, "  for another {:.1} s", left_ms as f64 / 1e3)
                }
            };
            out.push(b'\n');
        }
        let more = matching.count();
        if more != 0 {
            let _ = writeln!(out, "and {more} more (--list)");
        }
    }

    /// An object for each entry with another fate, and one for the totals.
    pub(crate) fn json(&self, out: &mut Vec<u8>) {
        for incident in self.incidents {
            let mut line = WhatIfFlow {
                r#type: settings::Fate::CutOff,
                time_ns: incident.time_ns,
                netns: incident.key.netns.into(),
                zone: incident.key.zone,
                orig: incident.key.orig.into(),
                late_ms: None,
                since_ms: None,
                left_ms: None,
            };
            match incident.kind {
                IncidentKind::CutOff { late_ms } => line.late_ms = Some(late_ms),
                IncidentKind::Expired { since_ms } => {
                    line.r#type = settings::Fate::Expired;
                    line.since_ms = Some(since_ms);
                }
                IncidentKind::LivedOn { left_ms } => {
                    line.r#type = settings::Fate::LivedOn;
                    line.left_ms = Some(left_ms);
                }
            }
            bytes::json_line(out, &line);
        }
        let totals = &self.totals;
        let protocol = self.trial.protocol;
        let (now, then) = (totals.now + self.others, totals.then + self.others);
        let value = |(attribute, ms): &(u16, u64)| {
            let state = protocol.state_of_attribute(*attribute);
            (state.map_or("?", |state| state.name).into(), ms / 1000)
        };
        let line = settings::WhatIf {
            r#type: tag::WhatIf,
            proto: protocol.name,
            protonum: protocol.number,
            values_s: self.trial.values.iter().map(value).collect(),
            elapsed_ns: self.watched.as_nanos() as u64,
            entries_now: now,
            entries_then: then,
            proto_entries_now: totals.now,
            proto_entries_then: totals.then,
            change_percent: percent(now, then).map(|percent| (percent * 10.0).round() / 10.0),
            expired: totals.expired,
            lived_on: totals.lived_on,
            cut_off: totals.cut_off,
            unobserved: totals.unknown,
            lost_total: self.lost,
        };
        bytes::json_line(out, &line);
    }
}

fn row(out: &mut Vec<u8>, title: &str, now: u64, then: u64) {
    let _ = match percent(now, then) {
        Some(percent) => writeln!(out, "{title:<24} {now:>10} {then:>10}  {percent:+.1} %"),
        None => writeln!(out, "{title:<24} {now:>10} {then:>10}"),
    };
}
