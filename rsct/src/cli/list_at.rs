//! `rsct list --input`: the table of a recording.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;

use super::{
    each_host::Output,
    input_args::{InputArgs, Moment, netns_of},
};
use crate::{
    filter::Filter,
    kernel::{interfaces::Names, netns::NetnsName},
    observe::Selection,
    plural,
    render::entry::{About, View},
    source::{Recorded, recorded::table},
};

/// `--input` and `--at`.
#[derive(Clone, Debug, Default, Args)]
pub(super) struct RecordedTableArgs {
    /// Read a recording of `rsct record` instead of the running kernel
    ///
    /// Repeat the option for the other files of a rotated recording, and for other hosts. Entries have the attributes that records have: tuples, state, status, timeout, mark and zone.
    #[arg(long, value_name = "FILE")]
    input: Vec<PathBuf>,
    /// Show the table at TIME of the recording (default: its end)
    ///
    /// `+10s` is 10 seconds after its start; a date is in local time unless it has a time zone.
    #[arg(long, value_name = "TIME", value_parser = Moment::parse, requires = "input")]
    at: Option<Moment>,
}

impl RecordedTableArgs {
    /// Returns whether there is a recording.
    pub(super) fn is_given(&self) -> bool {
        !self.input.is_empty()
    }

    /// The files up to the time.
    pub(super) fn input(&self) -> InputArgs {
        InputArgs::of(self.input.clone(), None, self.at)
    }

    /// Lists the entries of the recording.
    pub(super) fn list(
        &self,
        input: &InputArgs,
        filter: &Filter,
        netns: Option<&str>,
        view: &View<'_>,
        output: &mut Output,
    ) -> anyhow::Result<()> {
        let Recorded {
            mut files,
            start,
            window,
        } = input.open(false)?.context("no recording is given")?;
        let to_ns = window.to_ns;
        let only = netns_of(netns, &start.names)?;
        let selection = Selection::recorded(&Filter::default(), only, 0);
        let model = table::at(&mut files, selection, to_ns)?.context("no recording is given")?;
        let mut names = start.names;
        names.extend(&model.names);
        let is_named = netns.is_some() || start.setup.only_netns.is_none();
        let mut out = Vec::new();
        view.begin(&mut out);
        let mut shown = 0;
        for flow in table::entries(&model) {
            let entry = table::entry(flow, model.now_ns());
            if !filter.meets(&entry) {
                continue;
            }
            shown += 1;
            let netns = named(&names, flow.netns);
            let about = About {
                netns: is_named.then_some(&netns),
                ..About::default()
            };
            view.entry(&mut out, &entry, &about);
        }
        view.end(&mut out);
        output.print(&out)?;
        message!(
            "{} been shown.",
            plural::count(shown, "flow entry has", "flow entries have")
        );
        Ok(())
    }
}

/// A namespace of a recording.
pub(super) fn named(names: &Names, inode: u32) -> NetnsName {
    NetnsName {
        name: names.netns(inode),
        inode: inode.into(),
    }
}
