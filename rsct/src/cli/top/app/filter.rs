//! The filter that is typed while the screen is open.

use clap::{Args as _, Command, FromArgMatches as _};
use rsct_common::Tuple;

use crate::{
    causes::tally::FlowName,
    cli::FilterArgs,
    filter::Filter,
    flow::{Flow, tuples::inverse},
    render::top::opened,
    snapshot::Collector,
};

/// Reads options of a filter; none if there are none.
pub(super) fn parse(text: &str) -> Result<Option<Filter>, String> {
    let command = FilterArgs::augment_args(Command::new("filter").no_binary_name(true));
    let matches = command
        .try_get_matches_from(text.split_whitespace())
        .map_err(|error| first_line(&error.to_string()))?;
    let args = FilterArgs::from_arg_matches(&matches).map_err(|error| first_line(&error.to_string()))?;
    let filter = args.filter().map_err(|error| error.to_string())?;
    Ok((!filter.is_empty()).then_some(filter))
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

/// Returns whether a flow matches.
pub(super) fn matches(filter: &Filter, flow: &FlowName, of: &Collector) -> bool {
    let known = opened::known(flow, of);
    let orig = Tuple::from_words(flow.tuple);
    // Without a known reply direction: no NAT.
    let reply = known
        .and_then(Flow::reply_tuple)
        .unwrap_or_else(|| inverse(&orig));
    filter.matches(&orig, &reply, flow.zone, known.map_or(0, |flow| flow.mark))
}
