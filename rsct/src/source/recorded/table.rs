//! The table of a recording at a moment.

use crate::{
    flow::Flow,
    names::status,
    netlink::conntrack::{Basics, Entry},
    observe::{Consumer, Input, Joined, Model, Observation, Observer, Selection, Want},
};

use super::{FileError, Files, Window};

/// Needs only the model.
#[derive(Clone, Copy, Debug)]
struct Ignore;

impl Observer for Ignore {
    fn observe(&mut self, _observation: Observation<'_>) {}

    fn explains(&self) -> bool {
        false
    }
}

/// Reads files up to a time on the monotonic clock. The model has the flows of that time.
pub(crate) fn at(files: &mut Files, selection: Selection, to_ns: u64) -> Result<Option<Model>, FileError> {
    let Some(start) = files.start() else {
        return Ok(None);
    };
    let mut joined = Joined {
        model: Model::new(&start.setup, selection),
        observer: Ignore,
    };
    // Flows that a later dump has need not be read before it.
    let window = Window {
        from_ns: to_ns,
        to_ns,
    };
    files.run(&mut joined, window)?;
    Ok(Some(joined.model))
}

/// Reads files up to the end of the first dump: the model has the flows that existed before.
pub(crate) fn first(files: &mut Files, selection: Selection) -> Result<Option<Model>, FileError> {
    let Some(start) = files.start() else {
        return Ok(None);
    };
    let mut first = FirstDump {
        joined: Joined {
            model: Model::new(&start.setup, selection),
            observer: Ignore,
        },
        is_over: false,
    };
    files.run(&mut first, Window::default())?;
    Ok(Some(first.joined.model))
}

/// Needs no more than the first dump.
struct FirstDump {
    joined: Joined<Ignore>,
    is_over: bool,
}

impl Consumer for FirstDump {
    fn take(&mut self, input: Input<'_>) {
        if !self.is_over {
            self.is_over = matches!(input, Input::DumpEnds { .. });
            self.joined.take(input);
        }
    }

    fn is_over(&self) -> bool {
        self.is_over
    }

    fn has_failed(&self) -> bool {
        false
    }

    fn lacks(&mut self) -> Option<Want> {
        self.joined.lacks()
    }
}

/// The entries that a dump of the table would have, in the order of their detection.
pub(crate) fn entries(model: &Model) -> Vec<&Flow> {
    let now_ns = model.now_ns();
    let is_in_table = |flow: &&Flow| {
        flow.status & (status::CONFIRMED | status::DYING) == status::CONFIRMED
            && flow.expires_ns.is_none_or(|expires_ns| expires_ns > now_ns)
    };
    let mut flows: Vec<&Flow> = model.table.flows().filter(is_in_table).collect();
    flows.sort_by_key(|flow| flow.number);
    flows
}

/// A flow as ctnetlink would report it: with the attributes that records have.
pub(crate) fn entry(flow: &Flow, now_ns: u64) -> Entry<'static> {
    let left_s = flow.left_s(now_ns);
    Entry::of(&Basics {
        orig: flow.orig_tuple(),
        reply: flow.reply_tuple().unwrap_or_default(),
        zone: flow.zone,
        status: flow.status,
        state: flow.state,
        timeout: left_s.map(|seconds| u32::try_from(seconds).unwrap_or(u32::MAX)),
        mark: flow.mark,
    })
}
