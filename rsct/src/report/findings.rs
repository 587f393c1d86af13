//! Faults in sentences, the worst first.

use rsct_common::record::CauseFamily;

use super::Gathered;
use crate::{
    plural,
    render::top::pane::printable,
    snapshot::{OfCause, Snapshot},
};

/// The weight of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Weight {
    /// It makes the others doubtful.
    Doubt,
    /// Traffic or an entry was lost, or something became worse.
    Fault,
    /// It explains others.
    Note,
    /// Nothing is wrong, or something became better.
    Good,
}

impl Weight {
    /// Its name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Doubt => "doubt",
            Self::Fault => "fault",
            Self::Note => "note",
            Self::Good => "good",
        }
    }
}

/// A finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    /// Its weight.
    pub weight: Weight,
    /// The fault and its cause.
    pub sentence: String,
    /// The remedy, if there is one.
    pub advice: Option<String>,
}

impl Finding {
    /// A finding of sentences.
    pub(crate) fn new(weight: Weight, text: &str, advice: Option<&str>) -> Self {
        Self {
            weight,
            sentence: printable(&sentence(text)),
            advice: advice.map(sentence),
        }
    }
}

/// A table is nearly full from this share on.
const NEARLY_FULL_PERCENT: f64 = 80.0;
/// The most hooks that are named.
const MOST_UNFIRED: usize = 10;

/// The findings of a recording: first those that make the others doubtful, then those that cost most traffic.
pub(crate) fn findings(gathered: &Gathered) -> Vec<Finding> {
    let snapshot = gathered.snapshot();
    let mut found = doubts(gathered);
    fullness(gathered, &mut found);
    for of in worst_first(&snapshot) {
        let text = format!(
            "{} {} ({}): {}",
            plural::count(of.count, "time", "times"),
            of.cause.name(),
            of.cause.family().name(),
            of.cause.meaning()
        );
        let advice = Some(of.cause.advice()).filter(|advice| !advice.is_empty());
        found.push(Finding::new(Weight::Fault, &text, advice));
    }
    if snapshot.totals.packets == 0 {
        found.push(Finding::new(
            Weight::Note,
            "No packet traversed conntrack during the recording.",
            Some("If there was traffic, check the recorder's filter and namespace, and the hooks with `rsct doctor`."),
        ));
    } else if found.is_empty() {
        found.push(Finding::new(
            Weight::Good,
            "Nothing was INVALID, dropped or not inserted, and no record was lost.",
            None,
        ));
    }
    found
}

/// The findings that make others doubtful.
pub(super) fn doubts(gathered: &Gathered) -> Vec<Finding> {
    let summary = gathered.summary();
    let mut found = Vec::new();
    let mut add = |text: &str, advice: Option<&str>| found.push(Finding::new(Weight::Doubt, text, advice));
    // Notices report losses before the end counts them.
    let counted = summary.lost_total() + summary.causes_lost;
    let lost = counted.max(gathered.collector.totals().lost);
    if lost > 0 {
        add(
            &format!(
                "{} lost: the figures below are too low.",
                plural::choose(&lost, "1 record was", &format!("{lost} records were"))
            ),
            Some("Record with a filter, or with --no-causes."),
        );
    }
    if gathered.is_torn {
        let seconds = gathered.now_ns.saturating_sub(gathered.collector.started_ns()) as f64 / 1e9;
        add(
            &format!(
                "The recording has no end: it breaks off {seconds:.1} s after its start. All later records, the last \
                 dump and the recorder's count of losses are missing."
            ),
            None,
        );
    }
    for damage in &gathered.damage {
        add(&format!("file {damage}"), None);
    }
    if let Some(doubt) = &summary.doubt {
        add(&format!("Records may be missing: {}", doubt.reason), None);
    }
    for unfired in summary.unfired.iter().take(MOST_UNFIRED) {
        add(&unfired.to_string(), None);
    }
    found
}

/// A sentence: with a capital letter and a full stop.
pub(crate) fn sentence(text: &str) -> String {
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

/// The greatest use of a table.
fn fullness(gathered: &Gathered, found: &mut Vec<Finding>) {
    let points = gathered.series.points.iter();
    let fullest = points
        .filter_map(|point| point.fullest)
        .max_by(|a, b| a.percent().total_cmp(&b.percent()));
    let Some(fullest) = fullest.filter(|of| of.percent() >= NEARLY_FULL_PERCENT) else {
        return;
    };
    let netns = match gathered.names.has_several_netns() {
        true => format!(
            " of network namespace {}",
            gathered.names.netns(fullest.netns).as_str()
        ),
        false => String::new(),
    };
    found.push(Finding::new(
        Weight::Fault,
        &format!(
            "The table{netns} had {} of at most {} entries: {:.0} %.",
            fullest.entries,
            fullest.max,
            fullest.percent()
        ),
        Some(
            "Find the sources of the entries below; shorten timeouts or raise net.netfilter.nf_conntrack_max.",
        ),
    ));
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
