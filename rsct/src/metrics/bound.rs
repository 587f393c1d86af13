//! The largest number of series, known before the first packet: every label has a bounded number of values.

use rsct_common::{latency::Function, loss::LOSSES};

use crate::{causes::Cause, netlink::stats::counter};

use super::{
    draw::{BUCKETS, FORMS, STATES, exported},
    families,
    family::{Family, Kind, Part},
};

/// The options that the number depends on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    /// Labels of namespaces, with that of all others.
    pub namespaces: u64,
    /// Sources, without that of all others.
    pub sources: u64,
    /// True with `--latency`.
    pub has_latency: bool,
    /// True with `--compat node_exporter`.
    pub has_compat: bool,
}

/// The largest number of series.
pub(crate) fn series_limit(shape: Shape) -> u64 {
    families::ALL
        .iter()
        .filter(|family| match family.part {
            Part::Latency => shape.has_latency,
            Part::NodeExporter => shape.has_compat,
            Part::Kernel | Part::Trace | Part::Own => true,
        })
        .map(|family| of(family, shape))
        .sum()
}

fn of(family: &Family, shape: Shape) -> u64 {
    let values = |label: &&str| match *label {
        "netns" => shape.namespaces,
        "stat" => counter::KNOWN.len() as u64,
        "cause" => Cause::all().filter(|cause| exported(*cause)).count() as u64,
        "source" => shape.sources + 1,
        "function" => Function::ALL.len() as u64,
        "form" => FORMS as u64,
        // Skipped programs and lost causes have no number of their own.
        "kind" => LOSSES as u64 + 2,
        // Counted with the protocol.
        "state" => STATES as u64,
        _ => 1,
    };
    // Each source is of one namespace.
    let is_of_sources = family.labels.contains(&"source");
    let labels = family
        .labels
        .iter()
        .filter(|label| !is_of_sources || **label == "source");
    let combinations: u64 = labels.map(values).product();
    let samples = match family.kind {
        Kind::Gauge | Kind::Info => 1,
        // With the time since when it counts.
        Kind::Counter => 2,
        Kind::Histogram => BUCKETS as u64 + 4,
    };
    combinations * samples
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_depends_on_the_options_only() {
        let one = Shape {
            namespaces: 1,
            sources: 20,
            has_latency: false,
            has_compat: false,
        };
        let all = Shape {
            namespaces: 33,
            has_latency: true,
            has_compat: true,
            ..one
        };
        let (one, all) = (series_limit(one), series_limit(all));
        assert!((250..500).contains(&one), "{one}");
        assert!((2000..4000).contains(&all), "{all}");
    }
}
