//! `rsct why FLOW`: everything about one flow.

use std::process::ExitCode;

use clap::Args;
use rsct_common::Tuple;

use super::{
    Topic,
    common::{Output, Reach, Watch, Watched, WatchingArgs, print},
    lookup::{self, Found},
};
use crate::{
    cli::{
        UsageError,
        namespaces::{Namespaces, NetnsArg},
        probing::why_not,
    },
    family::Family,
    filter::Filter,
    flow::{Flow, names::status, observation::Observation, table::TupleKey, tuples::headers},
    kernel::clock,
    plural,
    provenance::{Listing, ListingError},
    render::{color::Palette, story::Story, trace_json::TraceJson, why_flow::End},
    schema::{self, Command},
    waiting,
    why::{
        flow::{FlowWatching, Known, Tuples},
        unreplied::{Index, Subject},
        words::{self, Named, WordsError},
    },
};

/// Which flow.
#[derive(Debug, Args)]
pub(super) struct FlowArgs {
    /// One flow in the words that conntrack prints it in: the protocol, src=, dst=, and sport= and dport= or what its
    /// protocol has in their place; zone= where one zone is meant. A whole line will do.
    #[arg(value_name = "FLOW")]
    words: Vec<String>,
    #[command(flatten)]
    watching: WatchingArgs,
}

impl FlowArgs {
    /// Whether no flow is named at all.
    pub(super) fn names_none(&self) -> bool {
        self.words.is_empty()
    }

    /// How to watch.
    pub(super) fn watching(&self) -> &WatchingArgs {
        &self.watching
    }
}

/// Runs `rsct why FLOW`.
pub(super) fn run(args: &FlowArgs) -> anyhow::Result<ExitCode> {
    let named = named(&args.words)?;
    let namespaces = Namespaces::open(&args.watching.netns)?;
    waiting::event_loop()?.block_on(why(args, &named, &namespaces))
}

/// Which flow is meant.
fn named(words: &[String]) -> Result<Named, UsageError> {
    words::parse(words).map_err(|error| {
        UsageError(match error {
            WordsError::NoTuple(typed) => format!(
                "{typed:?} is neither a topic nor a flow: topics are {}; a flow is words as conntrack prints them, \
                 such as `udp src=10.0.0.1 dst=10.0.0.2 sport=1 dport=2`",
                Topic::names()
            ),
            error => error.to_string(),
        })
    })
}

async fn why(args: &FlowArgs, named: &Named, namespaces: &Namespaces) -> anyhow::Result<ExitCode> {
    let watch = Watch::start(&args.watching, &reach(named))?;
    let output = args.watching.output;
    let before = now(args, named, namespaces).await?;
    let mut tuples = Tuples::of(named);
    for found in &before {
        tuples.add(&Tuple::from_words(found.key.orig));
        tuples.add(&found.reply);
    }
    let story = Story {
        ticks: watch.probing.ticks,
        start_ns: watch.probing.started_ns,
        show_netns: true,
        palette: Palette::for_stream(&std::io::stdout()),
        names: watch.names.clone(),
    };
    let mut json = TraceJson::new(watch.probing.ticks);
    let mut begun = false;
    let write = move |out: &mut Vec<u8>, observation: Observation<'_>| match output {
        Output::Json => json.line(out, observation),
        Output::Text => {
            if !begun {
                begun = true;
                story.header(out);
            }
            story.line(out, observation);
        }
    };
    let (watching, watched) = watch.run(FlowWatching::new(tuples, write), None).await?;
    let after = lookup::entries(namespaces, &named.orig, None, output).await?;
    let elsewhere = elsewhere(named, namespaces, &before, &after, output).await?;
    let end = TheEnd {
        named,
        // All, where all were asked about.
        asked: (!namespaces.are_all()).then(|| namespaces.iter().map(|netns| netns.inode as u32).collect()),
        before: &before,
        after: &after,
        elsewhere: &elsewhere,
        watched: &watched,
    };
    let watching = watching.borrow();
    let mut out = Vec::new();
    end.tell(&mut out, &watching, output);
    if output == Output::Text {
        for found in &elsewhere {
            out.extend_from_slice(b"elsewhere: ");
            out.extend_from_slice(&found.shown);
        }
        if watching.watching.sightings.unkept != 0 {
            message!(
                "{} not kept apart, as there were too many kinds, and missing above",
                plural::count(watching.watching.sightings.unkept, "packet was", "packets were")
            );
        }
    }
    print(&out)?;
    namespaces.tell_of_hidden();
    Ok(ExitCode::SUCCESS)
}

/// An answer may come in another zone, another namespace, or untranslated: the protocol and the family are all that is
/// asked for.
fn reach(named: &Named) -> Reach {
    Reach {
        filter: Filter {
            family: Family::from_number(named.orig.family()),
            proto: Some(named.orig.protonum),
            ..Filter::default()
        },
        everywhere: true,
        with_causes: true,
        with_refresh: true,
    }
}

/// Tells of the entries that there are now, with what is left of their timeouts and whose those are.
async fn now(args: &FlowArgs, named: &Named, namespaces: &Namespaces) -> anyhow::Result<Vec<Found>> {
    let mut listing = Listing::start(args.watching.attach.form_beside()).map_err(|error| match error {
        ListingError::Session(error) => why_not(error),
        error => error.into(),
    })?;
    let output = args.watching.output;
    let found = lookup::entries(namespaces, &named.orig, Some(&mut listing), output).await?;
    let mut out = Vec::new();
    if output == Output::Json {
        schema::begin(&mut out, Command::WhyFlow);
    }
    if output == Output::Text {
        out.extend_from_slice(if found.is_empty() {
            b"in the table now: no entry with this tuple\n\n".as_slice()
        } else {
            b"in the table now:\n"
        });
    }
    for found in &found {
        out.extend_from_slice(&found.shown);
    }
    if output == Output::Text && !found.is_empty() {
        out.push(b'\n');
    }
    print(&out)?;
    if listing.lost() != 0 {
        message!(
            "{} LOST: as many timeouts may be another's than is said",
            plural::count(listing.lost(), "record was", "records were")
        );
    }
    Ok(found)
}

/// Where no table that was asked about has the flow: the entries of all others.
async fn elsewhere(
    named: &Named,
    namespaces: &Namespaces,
    before: &[Found],
    after: &[Found],
    output: Output,
) -> anyhow::Result<Vec<Found>> {
    if namespaces.are_all() || !before.is_empty() || !after.is_empty() {
        return Ok(Vec::new());
    }
    let all = Namespaces::open(&NetnsArg::all())?;
    lookup::entries(&all, &named.orig, None, output).await
}

/// What there is to say at the end.
struct TheEnd<'a> {
    named: &'a Named,
    /// Inode numbers of the namespaces that were asked about; none for all.
    asked: Option<Vec<u32>>,
    before: &'a [Found],
    after: &'a [Found],
    elsewhere: &'a [Found],
    watched: &'a Watched,
}

impl TheEnd<'_> {
    fn tell<W: FnMut(&mut Vec<u8>, Observation<'_>)>(
        &self,
        out: &mut Vec<u8>,
        watching: &FlowWatching<W>,
        output: Output,
    ) {
        let now_ns = clock::monotonic_ns();
        if output == Output::Text && watching.lines != 0 {
            out.push(b'\n');
        }
        let index = Index::of(&watching.watching.sightings);
        let keys = self.keys(watching);
        for (number, key) in keys.iter().enumerate() {
            if output == Output::Text && number != 0 {
                out.push(b'\n');
            }
            let found = self.after.iter().find(|found| found.key == *key);
            let deletion = watching.deletions.iter().rfind(|deletion| deletion.key == *key);
            let answer = self
                .flow(key)
                .or_else(|| deletion.and_then(|deletion| deletion.flow))
                .map(|flow| index.judge(Subject { flow, ended: None }));
            let seen = answer.as_ref().map_or(&[][..], |answer| &answer.seen);
            let before = self.before.iter().find(|found| found.key == *key);
            let known = Known {
                status: found.map(|found| found.status),
                was_there: before.is_some(),
                ran_out: before.is_some_and(|found| found.ran_out(now_ns)),
                deleted: deletion.map(|deletion| deletion.kind),
                elsewhere: false,
            };
            let end = End {
                key: Some(*key),
                orig: self.named.orig,
                closing: known.closing(seen, false),
                seen,
                unreplied: answer.as_ref().filter(|_| is_unreplied(found)),
                deletion,
                left_s: found.and_then(|found| found.left_s),
            };
            say(out, &end, self.watched, now_ns, output);
        }
        if keys.is_empty() {
            let seen = watching
                .tuples
                .seen_in(&watching.watching.sightings, &self.named.orig);
            let (here, there): (Vec<_>, Vec<_>) = seen
                .iter()
                .copied()
                .partition(|seen| self.is_asked(seen.passing.place.netns));
            let known = Known {
                elsewhere: !self.elsewhere.is_empty()
                    || self.before.iter().chain(self.after).next().is_some(),
                ..Known::default()
            };
            let end = End {
                key: None,
                orig: self.named.orig,
                closing: known.closing(&here, !there.is_empty()),
                seen: &seen,
                unreplied: None,
                deletion: None,
                left_s: None,
            };
            say(out, &end, self.watched, now_ns, output);
        }
    }

    fn is_asked(&self, netns: u32) -> bool {
        self.asked.as_ref().is_none_or(|asked| asked.contains(&netns))
    }

    /// The entries that are meant: those that are or were there, and those that went.
    fn keys<W>(&self, watching: &FlowWatching<W>) -> Vec<TupleKey> {
        let mut keys: Vec<TupleKey> = Vec::new();
        let found = self.before.iter().chain(self.after).map(|found| found.key);
        let wanted = headers(self.named.orig);
        let deleted = watching.deletions.iter().filter(|deletion| {
            let reply = deletion.flow.and_then(|flow| flow.reply_tuple());
            headers(Tuple::from_words(deletion.key.orig)) == wanted
                || reply.is_some_and(|reply| headers(reply) == wanted)
        });
        for key in found.chain(deleted.map(|deletion| deletion.key)) {
            let in_zone = self.named.zone.is_none_or(|zone| zone == key.zone);
            if in_zone && self.is_asked(key.netns) && !keys.contains(&key) {
                keys.push(key);
            }
        }
        keys
    }

    fn flow(&self, key: &TupleKey) -> Option<Flow> {
        let is_it = |flow: &&Flow| flow.netns == key.netns && flow.zone == key.zone && flow.orig == key.orig;
        self.watched.table.flows().find(is_it).copied()
    }
}

fn is_unreplied(found: Option<&Found>) -> bool {
    found.is_some_and(|found| found.status & status::SEEN_REPLY == 0)
}

fn say(out: &mut Vec<u8>, end: &End<'_>, watched: &Watched, now_ns: u64, output: Output) {
    match output {
        Output::Text => end.text(out, &watched.names, now_ns),
        Output::Json => end.json(out, &watched.names),
    }
}
