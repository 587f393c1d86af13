//! What would have been with other timeouts, for people and as JSON.

use std::{io::Write as _, time::Duration};

use rsct_common::Tuple;

use crate::{
    schema::{
        settings::{self, WhatIfFlow},
        tag,
    },
    what_if::{Fate, Incident, Totals, Trial},
};

use super::{bytes, story};

/// All there is to say at the end.
#[derive(Debug)]
pub struct Report<'a> {
    /// What was tried.
    pub trial: &'a Trial,
    /// For how long.
    pub watched: Duration,
    /// When it began, by the monotonic clock.
    pub started_ns: u64,
    /// How many.
    pub totals: Totals,
    /// Entries of the table that the trial changes nothing for.
    pub others: u64,
    /// Records that were lost.
    pub lost: u64,
    /// Whose fate would have been another, the most affected first.
    pub incidents: &'a [Incident],
    /// How many of each kind are listed.
    pub most: usize,
    /// Whether namespaces are named.
    pub show_netns: bool,
}

/// Of whole numbers: none of none is no change.
fn percent(now: u64, then: u64) -> Option<f64> {
    (now != 0).then(|| (then as f64 - now as f64) * 100.0 / now as f64)
}

impl Report<'_> {
    /// For people.
    pub fn text(&self, out: &mut Vec<u8>) {
        let totals = &self.totals;
        // Writing to a Vec cannot fail.
        let _ = write!(out, "what if {}", self.trial.protocol.name);
        for (attribute, ms) in &self.trial.values {
            let state = self.trial.protocol.state_of_attribute(*attribute);
            let _ = write!(out, " {}={}s", state.map_or("?", |state| state.name), ms / 1000);
        }
        let _ = writeln!(
            out,
            ", watched for {:.1} s; nothing has been changed\n",
            self.watched.as_secs_f64()
        );
        let _ = writeln!(out, "{:<24} {:>10} {:>10}", "ENTRIES", "NOW", "THEN");
        row(
            out,
            "in the table",
            totals.now + self.others,
            totals.then + self.others,
        );
        row(
            out,
            &format!("of them {}", self.trial.protocol.name),
            totals.now,
            totals.then,
        );
        let _ = writeln!(
            out,
            "\n{:>10} would have expired, and nothing has come for them since\n\
             {:>10} are gone and would have lived on\n\
             {:>10} flows would have been cut off while in use",
            totals.expired, totals.lived_on, totals.cut_off
        );
        if totals.unknown != 0 {
            let _ = writeln!(
                out,
                "{:>10} entries of which nothing was seen are counted as they are",
                totals.unknown
            );
        }
        if self.lost != 0 {
            let _ = writeln!(
                out,
                "{:>10} records were LOST: the figures may be wrong by as much",
                self.lost
            );
        }
        self.list(out, "cut off while in use", |fate| {
            matches!(fate, Fate::CutOff { .. })
        });
        self.list(out, "would have expired", |fate| {
            matches!(fate, Fate::Expired { .. })
        });
        self.list(out, "would have lived on", |fate| {
            matches!(fate, Fate::LivedOn { .. })
        });
    }

    fn list(&self, out: &mut Vec<u8>, title: &str, is_it: impl Fn(&Fate) -> bool) {
        let mut meant = self
            .incidents
            .iter()
            .filter(|incident| is_it(&incident.fate))
            .peekable();
        if meant.peek().is_none() || self.most == 0 {
            return;
        }
        let _ = writeln!(out, "\n{title}:");
        for incident in meant.by_ref().take(self.most) {
            if self.show_netns {
                let _ = write!(out, "netns {} ", incident.key.netns);
            }
            let tuple = Tuple::from_words(incident.key.orig);
            story::protocol(out, tuple.protonum);
            out.push(b' ');
            story::ends(out, &tuple);
            let _ = match incident.fate {
                Fate::CutOff { late_ms } => write!(
                    out,
                    "  first after {:.1} s, by a packet that came {:.1} s too late",
                    incident.time_ns.saturating_sub(self.started_ns) as f64 / 1e9,
                    late_ms as f64 / 1e3
                ),
                Fate::Expired { since_ms } => write!(out, "  {:.1} s ago", since_ms as f64 / 1e3),
                Fate::LivedOn { left_ms } => write!(out, "  for another {:.1} s", left_ms as f64 / 1e3),
            };
            out.push(b'\n');
        }
        let more = meant.count();
        if more != 0 {
            let _ = writeln!(out, "and {more} more (--list)");
        }
    }

    /// An object for each that would have gone otherwise, and one for all.
    pub fn json(&self, out: &mut Vec<u8>) {
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
            match incident.fate {
                Fate::CutOff { late_ms } => line.late_ms = Some(late_ms),
                Fate::Expired { since_ms } => {
                    line.r#type = settings::Fate::Expired;
                    line.since_ms = Some(since_ms);
                }
                Fate::LivedOn { left_ms } => {
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
