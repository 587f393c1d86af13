//! Namespaces that are created and deleted all the time make no series of `rsct metrics --netns all`.

use std::collections::BTreeSet;

use anyhow::{Result, ensure};

use super::namespace::Namespace;
use crate::lab::metrics::Metrics;

pub fn run() -> Result<()> {
    let lasting = Namespace::new("lasting")?;
    lasting.create("-p udp -s 10.0.0.1 -d 10.0.0.2 --sport 1 --dport 2 -t 600")?;
    let metrics = Metrics::start(&["--netns", "all", "--interval", "1h"])?;
    let first = metrics.scrape()?;
    let limit = first.sum("rsct_metrics_series_limit", &[]);
    let labels = |answer: &crate::lab::metrics::Answer| -> BTreeSet<String> {
        let series = answer.series("rsct_conntrack_entries");
        series
            .iter()
            .filter_map(|(labels, _)| labels.get("netns").cloned())
            .collect()
    };
    let known = labels(&first);
    ensure!(known.contains(&lasting.name), "{known:?}");
    for round in 0..8 {
        let short = Namespace::new("short")?;
        short.create("-p udp -s 10.0.0.1 -d 10.0.0.2 --sport 1 --dport 2 -t 600")?;
        let answer = metrics.scrape()?;
        let mut now = labels(&answer);
        // The sum of those without a label.
        now.remove("other");
        ensure!(now.is_subset(&known), "round {round}: {now:?}, before {known:?}");
        ensure!(
            answer.sum("rsct_conntrack_entries", &[("netns", "other")]) >= 1.0,
            "round {round}\n{}",
            answer.body
        );
        let of_lasting = answer.sum("rsct_conntrack_entries", &[("netns", &lasting.name)]);
        ensure!(of_lasting == 1.0, "round {round}: {of_lasting}");
        ensure!(answer.sum("rsct_metrics_series", &[]) <= limit, "{}", answer.body);
    }
    Ok(())
}
