//! The start of the reports: scope, cost, and functions that are not measured.

use std::io::Write as _;

use super::Look;
use crate::{
    kernel::interfaces::Names,
    latency::{Begins, ERROR_PERCENT, MeasuredHook},
    probe::{overhead, session::How},
    render::{
        bytes,
        latency::{error, time},
        latency_json,
    },
    schema::{
        self, Command,
        latency::{FilterOption, LatencyHook, LatencyStarted},
        tag,
    },
};

/// Appends it. `time_ns` is the start of the reported time.
pub(super) fn begin(out: &mut Vec<u8>, look: &Look, begins: &Begins, time_ns: u64, names: &Names) {
    if look.is_json {
        json(out, begins, time_ns);
    } else {
        text(out, begins, names, look.recorded_ns.is_some());
    }
}

fn json(out: &mut Vec<u8>, begins: &Begins, time_ns: u64) {
    let line = LatencyStarted {
        r#type: tag::Started,
        time_ns,
        by: begins.by.name(),
        netns: begins.netns.map(u64::from),
        filter: begins
            .filter
            .iter()
            .map(|(option, argument)| FilterOption { option, argument })
            .collect(),
        error_percent: ERROR_PERCENT,
        hooks: begins.hooks.iter().map(measured).collect(),
        overhead: latency_json::overhead(&begins.overhead),
    };
    schema::begin(out, Command::Latency);
    bytes::json_line(out, &line);
}

fn measured(hook: &MeasuredHook) -> LatencyHook<'_> {
    LatencyHook {
        function: &hook.function,
        attached: hook.attached.as_deref().unwrap_or(How::Not.name()),
        reasons: &hook.reasons,
    }
}

fn text(out: &mut Vec<u8>, begins: &Begins, names: &Names, is_recorded: bool) {
    let flows = if begins.filter.is_empty() {
        "every flow".to_owned()
    } else {
        let options = begins
            .filter
            .iter()
            .map(|(option, value)| format!(" --{option} {value}"));
        format!("flows that match{}", options.collect::<String>())
    };
    let whose = match (&begins.netns_name, begins.netns) {
        (_, None) => "every network namespace".to_owned(),
        (Some(name), _) => format!("network namespace {name}"),
        (None, Some(inode)) if is_recorded => format!("network namespace {}", names.netns(inode)),
        (None, Some(_)) => "this network namespace".to_owned(),
    };
    // Writing to a Vec can't fail.
    let _ = writeln!(out, "conntrack's latency, {flows} of {whose}.\n{}", error());
    let machine = match is_recorded {
        true => "the recorded machine",
        false => "this machine",
    };
    let _ = match &begins.overhead {
        Ok(overhead) => writeln!(
            out,
            "On {machine}, a reading of the clock lasts {}. Measuring makes each call {} longer,\n\
             of which {} are included in each duration below (measured with {} calls of an\n\
             empty kernel function).",
            time(overhead.clock_ns.round() as u64),
            time(overhead.pair_ns),
            time(overhead.shown_ns),
            overhead::CALLS,
        ),
        Err(why) => writeln!(out, "The cost of measuring is unknown: {why}."),
    };
    if is_recorded {
        let _ = writeln!(
            out,
            "The recorder's other eBPF programs ran in the measured functions: their time is\n\
             included too."
        );
    }
    let is_shown = |missing: &MeasuredHook| {
        let mut hooks = begins.hooks.iter();
        hooks.any(|hook| hook.attached.is_some() && hook.shows == missing.shows)
    };
    let missing = begins
        .hooks
        .iter()
        .filter(|hook| hook.attached.is_none() && !is_shown(hook));
    for hook in missing {
        let _ = writeln!(
            out,
            "Not measured: {}: {} cannot be attached ({}).",
            hook.shows,
            hook.function,
            reasons(&hook.reasons)
        );
    }
}

/// The reasons why a function is not attached; once, if they are equal for all forms.
fn reasons(of_each_form: &[String]) -> String {
    let bare = |why: &String| match why.split_once(": ") {
        Some(("fentry" | "kprobe", reason)) => reason.to_owned(),
        _ => why.clone(),
    };
    let mut reasons: Vec<String> = of_each_form.iter().map(bare).collect();
    reasons.dedup();
    match reasons.as_slice() {
        [reason] => reason.clone(),
        _ => of_each_form.join("; "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_reasons_are_printed_once() {
        let whys = |whys: &[&str]| reasons(&whys.iter().map(|why| (*why).to_owned()).collect::<Vec<_>>());
        assert_eq!(whys(&["fentry: gone", "kprobe: gone"]), "gone");
        assert_eq!(
            whys(&["fentry: gone", "kprobe: refused: x"]),
            "fentry: gone; kprobe: refused: x"
        );
        assert_eq!(whys(&["left out: because"]), "left out: because");
    }
}
