//! `rsct why unreplied`: why entries stay UNREPLIED.

use std::{cmp::Reverse, process::ExitCode};

use clap::Args;

use super::common::{CommonArgs, Output, Reach, Watch, Watched, print};
use crate::{
    cli::{UsageError, namespaces::Namespaces},
    filter::Filter,
    flow::{Flow, names::status, tuples::inverse},
    kernel::clock,
    render::why_unreplied::Report,
    schema::Command,
    waiting,
    why::unreplied::{Index, Role, Subject, Watching},
};

/// Tell why entries stay UNREPLIED.
///
/// Of each entry is told how many packets of each direction came while it was watched, at which hook and on which
/// interface, what became of those that should answer it, and what to do about it. --netns and the filters say which entries are asked about. Packets are watched in all network namespaces: the reply to
/// an entry of one may be met in another. An entry that goes without a reply meanwhile is told of too.
#[derive(Debug, Args)]
pub(super) struct UnrepliedArgs {
    #[command(flatten)]
    common: CommonArgs,
    /// How many entries to list, those with most packets first.
    #[arg(long, value_name = "N", default_value_t = 20)]
    top: usize,
}

/// Runs `rsct why unreplied`.
pub(super) fn run(args: &UnrepliedArgs) -> anyhow::Result<ExitCode> {
    let filter = args.common.filter.filter()?;
    if let Some(option) = filter.details.unknown_to_records() {
        return Err(UsageError(format!(
            "--{option}: the packets' records do not tell of it; `rsct list -u UNREPLIED` takes it"
        ))
        .into());
    }
    let namespaces = Namespaces::open(&args.common.watching.netns)?;
    let asked = (!namespaces.are_all()).then(|| namespaces.iter().map(|netns| netns.inode as u32).collect());
    // A namespace that is open stays when all others have left it.
    drop(namespaces);
    waiting::event_loop()?.block_on(async {
        let watch = Watch::start(&args.common.watching, &reach(&filter))?;
        let (watching, watched) = watch
            .run(Watching::default(), Some(Command::WhyUnreplied))
            .await?;
        let asks = Asks { filter, netns: asked };
        answer(args, &asks, &watching.borrow(), &watched)
    })
}

/// What an answer differs in from its question is not known before: where it comes from, where it goes to, in which zone.
fn reach(filter: &Filter) -> Reach {
    Reach {
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

/// Which entries are asked about.
struct Asks {
    filter: Filter,
    /// Inode numbers; none for all.
    netns: Option<Vec<u32>>,
}

impl Asks {
    fn about(&self, flow: &Flow) -> bool {
        let orig = flow.orig_tuple();
        let reply = flow.reply_tuple();
        // Nobody translates, as far as is known.
        let known = reply.unwrap_or_else(|| inverse(&orig));
        self.netns
            .as_ref()
            .is_none_or(|asked| asked.contains(&flow.netns))
            && self.filter.matches(&orig, &known, flow.zone, flow.mark)
            && self
                .filter
                .details
                .meet_record(&orig, reply.as_ref(), flow.status, flow.state)
    }
}

fn answer(
    args: &UnrepliedArgs,
    asks: &Asks,
    watching: &Watching,
    watched: &Watched,
) -> anyhow::Result<ExitCode> {
    let index = Index::of(&watching.sightings);
    let is_unreplied = |flow: &&Flow| {
        // What ctnetlink does not list is in no table.
        let there = flow.from_dump && flow.is_confirmed();
        let unreplied = flow.status & status::SEEN_REPLY == 0;
        there && (unreplied || watching.answered.contains(&flow.number))
    };
    let there = watched.table.flows().filter(is_unreplied).map(|flow| Subject {
        flow: *flow,
        ended: None,
    });
    let subjects = there
        .chain(watching.ended.iter().copied())
        .filter(|subject| asks.about(&subject.flow));
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
        now_ns: clock::monotonic_ns(),
        lost: watched.summary.lost_total(),
        unkept: watching.sightings.unkept,
    };
    let mut out = Vec::new();
    match args.common.watching.output {
        Output::Text => report.text(&mut out),
        Output::Json => report.json(&mut out),
    }
    print(&out)?;
    Ok(ExitCode::SUCCESS)
}
