//! `rsct why unreplied`: why entries stay UNREPLIED.

use std::{cmp::Reverse, process::ExitCode};

use clap::Args;

use super::common::{CommonArgs, Watch, WatchScope, Watched};
use crate::{
    cli::{
        each_host::{Output, each_host},
        input_args::netns_of,
        namespaces::Namespaces,
        shared_args::TextOrJson,
        watching::records_have,
    },
    filter::Filter,
    flow::{Flow, tuples::inverse},
    names::status,
    render::why_unreplied::Report,
    schema::Command,
    waiting,
    why::unreplied::{Index, Role, Subject, UnrepliedObserver},
};

/// Explain entries that stay UNREPLIED: packets by hook and interface
///
/// For each entry, reports packets per direction, hook and interface, what happened to packets that should have answered
/// it, and what to do. Includes entries that are deleted unreplied during the watch. --netns and the filter select the
/// entries; packets are observed in all network namespaces, because a reply may arrive in another one.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  rsct why unreplied -p udp --dport 53
  rsct why unreplied --netns all --duration 30s")]
pub(super) struct UnrepliedArgs {
    #[command(flatten)]
    common: CommonArgs,
    /// List the N entries with the most packets
    #[arg(long, value_name = "N", default_value_t = 20)]
    top: usize,
}

/// Runs `rsct why unreplied`.
pub(super) fn run(args: &UnrepliedArgs) -> anyhow::Result<ExitCode> {
    let filter = args.common.filter.filter()?;
    records_have(
        &filter,
        "packet records do not have this field; `rsct list -u UNREPLIED` accepts the option",
    )?;
    let watching = &args.common.watching;
    let live = match watching.input.is_given() {
        true => None,
        false => selected(&Namespaces::open(&watching.netns)?),
    };
    let event_loop = waiting::event_loop()?;
    each_host(&watching.input, watching.output.is_json(), |input, output| {
        event_loop.block_on(async {
            let watch = Watch::start(watching, input, &scope(&filter))?;
            let netns = match watch.source.names() {
                Some(names) => netns_of(watching.netns.name(), names)?.map(|netns| vec![netns]),
                None => live.clone(),
            };
            let command = Some(Command::WhyUnreplied);
            let (unreplied, watched) = watch.run(output, UnrepliedObserver::default(), command).await?;
            let selection = Selection { filter, netns };
            report(args, output, &selection, &unreplied, &watched)
        })
    })
}

/// Inode numbers of the selected namespaces; none for all. Their descriptors are closed: an open one would keep a deleted
/// namespace alive.
fn selected(namespaces: &Namespaces) -> Option<Vec<u32>> {
    (!namespaces.are_all()).then(|| namespaces.iter().map(|netns| netns.inode as u32).collect())
}

/// Only the protocol and the family: a reply may have other addresses, or another zone.
fn scope(filter: &Filter) -> WatchScope {
    WatchScope {
        filter: Filter {
            family: filter.family,
            proto: filter.proto,
            ..Filter::default()
        },
        everywhere: true,
        with_causes: false,
        with_refresh: false,
    }
}

/// The entries to explain.
struct Selection {
    filter: Filter,
    /// Inode numbers; none for all.
    netns: Option<Vec<u32>>,
}

impl Selection {
    fn has(&self, flow: &Flow) -> bool {
        let orig = flow.orig_tuple();
        let reply = flow.reply_tuple();
        // Without a known reply direction: no NAT.
        let known = reply.unwrap_or_else(|| inverse(&orig));
        self.netns
            .as_ref()
            .is_none_or(|selected| selected.contains(&flow.netns))
            && self.filter.matches(&orig, &known, flow.zone, flow.mark)
            && self
                .filter
                .details
                .meet_record(&orig, reply.as_ref(), flow.status, flow.state)
    }
}

fn report(
    args: &UnrepliedArgs,
    output: &mut Output,
    selection: &Selection,
    watching: &UnrepliedObserver,
    watched: &Watched,
) -> anyhow::Result<()> {
    let index = Index::of(&watching.sightings);
    let is_unreplied = |flow: &&Flow| {
        // Entries that ctnetlink does not list are in no table.
        let in_table = flow.from_dump && flow.is_confirmed();
        let unreplied = flow.status & status::SEEN_REPLY == 0;
        in_table && (unreplied || watching.answered.contains(&flow.number))
    };
    let listed = watched
        .model
        .table
        .flows()
        .filter(is_unreplied)
        .map(|flow| Subject {
            flow: *flow,
            ended: None,
        });
    let subjects = listed
        .chain(watching.ended.iter().copied())
        .filter(|subject| selection.has(&subject.flow));
    let mut answers = index.judge_all(subjects);
    answers.sort_by_key(|answer| {
        let own = answer.packets(Role::Request) + answer.packets(Role::Reply);
        (Reverse(own), answer.verdict, answer.subject.flow.number)
    });
    let report = Report {
        answers: &answers,
        most: args.top,
        more_ended: watching.more_ended,
        names: &watched.names,
        watched: watched.summary.elapsed,
        now_ns: watched.now_ns,
        lost: watched.summary.lost_total(),
        unkept: watching.sightings.unkept,
    };
    let mut out = Vec::new();
    match args.common.watching.output.format {
        TextOrJson::Text => report.text(&mut out),
        TextOrJson::Json => report.json(&mut out),
    }
    output.print(&out)
}
