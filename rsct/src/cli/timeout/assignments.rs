//! `STATE=SECS …`: new timeouts of states, checked before anything is changed.

use crate::{
    cli::{UsageError, duration},
    kernel::hz::Hz,
    timeouts::{Protocol, State},
};

/// Help of `STATE=SECS`.
pub(super) const STATES_HELP: &str = "State (see `rsct timeout show`) and timeout: 30, 5m, 2h, 1d";

/// A state and its new timeout in seconds.
pub(super) type Assignment = (&'static State, u32);

/// Parses the assignments to states of a protocol.
pub(super) fn parse(protocol: &'static Protocol, typed: &[String]) -> anyhow::Result<Vec<Assignment>> {
    let hz = Hz::of_running_kernel()?;
    Ok(parse_at(protocol, typed, hz)?)
}

fn parse_at(protocol: &'static Protocol, typed: &[String], hz: Hz) -> Result<Vec<Assignment>, UsageError> {
    let mut assignments: Vec<Assignment> = Vec::new();
    for text in typed {
        let (state, seconds) = one(protocol, text, hz)?;
        if assignments.iter().any(|(named, _)| *named == state) {
            return Err(UsageError(format!(
                "{}: {}'s {} is given twice",
                text.escape_debug(),
                protocol.name,
                state.name
            )));
        }
        assignments.push((state, seconds));
    }
    Ok(assignments)
}

fn one(protocol: &'static Protocol, text: &str, hz: Hz) -> Result<Assignment, UsageError> {
    let wrong = |why: &str| UsageError(format!("{}: {why}", text.escape_debug()));
    let Some((name, value)) = text.split_once('=') else {
        let example = protocol.states[0].name;
        return Err(wrong(&format!(
            "expected STATE=SECS, such as {example}=30 or {example}=5m"
        )));
    };
    let state = protocol.state(name).ok_or_else(|| {
        let names: Vec<&str> = protocol.states.iter().map(|state| state.name).collect();
        wrong(&format!(
            "{} has no state {name:?}; it has {}",
            protocol.name,
            names.join(", ")
        ))
    })?;
    let seconds = duration::parse_seconds(value).map_err(|why| wrong(&why))?;
    let longest = hz.longest_timeout_seconds();
    match u32::try_from(seconds) {
        Ok(seconds) if seconds <= longest => Ok((state, seconds)),
        _ => Err(wrong(&format!(
            "the longest timeout of this kernel is {longest} seconds ({}): it has 31 bits of ticks, {} per second",
            duration::readable(longest.into()).unwrap_or_default(),
            hz.get()
        ))),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parsed(protocol: &str, typed: &[&str]) -> Result<Vec<(&'static str, u32)>, String> {
        let typed: Vec<String> = typed.iter().map(ToString::to_string).collect();
        let protocol = Protocol::named(protocol).unwrap();
        let parsed = parse(protocol, &typed).map_err(|error| error.to_string())?;
        Ok(parsed
            .into_iter()
            .map(|(state, seconds)| (state.name, seconds))
            .collect())
    }

    #[test]
    fn states_and_times_are_parsed() {
        let parsed = parsed("tcp", &["established=1d", "CLOSE=5"]);
        assert_eq!(parsed, Ok(vec![("established", 86_400), ("close", 5)]));
    }

    #[test]
    fn errors_name_the_argument() {
        for (typed, why) in [
            (&["replied"][..], "replied: expected STATE=SECS"),
            (
                &["unreplied=5", "assured=5"],
                "udp has no state \"assured\"; it has unreplied, replied",
            ),
            (&["=5"], "udp has no state \"\""),
            (&["replied="], "expected a number"),
            (&["replied=0"], "0 would make entries expire at once"),
            (&["replied=-3"], "negative"),
            (&["replied=0.5"], "whole seconds"),
            (&["replied=4294967296"], "the longest timeout of this kernel is"),
            (&["replied=365d"], "the longest timeout of this kernel is"),
            (&["replied=5", "REPLIED=5"], "udp's replied is given twice"),
        ] {
            let error = parsed("udp", typed).unwrap_err();
            assert!(error.contains(why), "{typed:?}: {error}");
        }
    }

    #[test]
    fn the_bound_is_the_kernels() {
        let longest = Hz::of_running_kernel().unwrap().longest_timeout_seconds();
        assert_eq!(
            parsed("udp", &[&format!("replied={longest}")]),
            Ok(vec![("replied", longest)])
        );
        assert!(parsed("udp", &[&format!("replied={}", longest + 1)]).is_err());
    }

    proptest! {
        #[test]
        fn any_text_is_parsed_or_rejected(texts: Vec<String>) {
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            let _ = parsed("tcp", &texts);
        }
    }
}
