//! Faults in sentences, the worst first.

use rsct_common::record::CauseFamily;

use super::Gathered;
use crate::{
    plural,
    snapshot::{OfCause, Snapshot},
};

/// A fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    /// The fault and its cause.
    pub sentence: String,
    /// The remedy, if there is one.
    pub advice: Option<String>,
}

/// A table is nearly full from this share on.
const NEARLY_FULL_PERCENT: u64 = 80;

/// The findings of a recording: first those that make the others doubtful, then those that cost most traffic.
pub(crate) fn findings(gathered: &Gathered) -> Vec<Finding> {
    let snapshot = gathered.snapshot();
    let summary = gathered.summary();
    let mut found = Vec::new();
    let mut add = |sentence: String, advice: Option<&str>| {
        found.push(Finding {
            sentence: ended(&sentence),
            advice: advice.map(ended),
        });
    };
    let lost = summary.lost_total() + summary.causes_lost;
    if lost > 0 {
        add(
            format!(
                "{} lost: the figures below are too low.",
                plural::choose(&lost, "1 record was", &format!("{lost} records were"))
            ),
            Some("Record with a filter, or with --no-causes."),
        );
    }
    if gathered.is_torn {
        add(
            "The recording has no end: its last second may be missing.".to_owned(),
            None,
        );
    }
    if let Some(doubt) = &summary.doubt {
        add(format!("Records may be missing: {}", doubt.reason), None);
    }
    for unfired in &snapshot.unfired {
        add(unfired.clone(), None);
    }
    fullness(gathered, &mut add);
    for of in worst_first(&snapshot) {
        add(
            format!(
                "{} times {} ({}): {}",
                of.count,
                of.cause.name(),
                of.cause.family().name(),
                of.cause.meaning()
            ),
            Some(of.cause.advice()).filter(|advice| !advice.is_empty()),
        );
    }
    if found.is_empty() {
        found.push(Finding {
            sentence: "Nothing was INVALID, dropped or not inserted, and no record was lost.".to_owned(),
            advice: None,
        });
    }
    found
}

/// A sentence: with a capital letter and a full stop.
fn ended(text: &str) -> String {
    let mut characters = text.chars();
    let mut sentence: String = characters
        .next()
        .into_iter()
        .flat_map(char::to_uppercase)
        .collect();
    sentence.push_str(characters.as_str());
    if !sentence.ends_with('.') {
        sentence.push('.');
    }
    sentence
}

/// How full the tables became.
fn fullness(gathered: &Gathered, add: &mut impl FnMut(String, Option<&str>)) {
    let points = gathered.series.points.iter();
    let fullest = points
        .filter_map(|point| Some((point.entries, point.max.filter(|max| *max > 0)?)))
        .max_by_key(|(entries, max)| entries * 100 / max);
    if let Some((entries, max)) = fullest
        && entries * 100 / max >= NEARLY_FULL_PERCENT
    {
        add(
            format!(
                "The table had {entries} of at most {max} entries: {} %.",
                entries * 100 / max
            ),
            Some(
                "Find the sources of the entries below; shorten timeouts or raise net.netfilter.nf_conntrack_max.",
            ),
        );
    }
}

/// The causes, those that cost traffic first. Expired entries are no fault.
fn worst_first(snapshot: &Snapshot) -> Vec<&OfCause> {
    let rank = |of: &OfCause| match of.cause.family() {
        CauseFamily::Full => 0,
        CauseFamily::Drop => 1,
        CauseFamily::Insert => 2,
        CauseFamily::Nat => 3,
        CauseFamily::Invalid => 4,
        CauseFamily::Lost => 5,
        CauseFamily::Delete => 6,
    };
    let mut causes: Vec<&OfCause> = snapshot
        .causes
        .iter()
        .filter(|of| of.cause.family() != CauseFamily::Delete)
        .collect();
    causes.sort_by_key(|of| (rank(of), std::cmp::Reverse(of.count), of.cause.name()));
    causes
}
