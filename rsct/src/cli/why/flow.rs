//! `rsct why FLOW`: everything about one flow.

use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;
use rsct_common::Tuple;

use super::{
    Topic,
    common::{Watch, WatchScope, Watched, WatchingArgs},
    lookup::{self, Found},
};
use crate::{
    cli::{
        UsageError,
        each_host::{Output, each_host},
        input_args::{InputArgs, netns_of},
        namespaces::{Namespaces, NetnsArg},
        shared_args::TextOrJson,
        watching::{listing_error, report_lost_records},
    },
    family::Family,
    filter::Filter,
    flow::{Flow, TupleKey, tuples::headers},
    names::status,
    observe::{Observation, Selection},
    plural,
    provenance::Listing,
    render::{
        color::Palette,
        trace_json::TraceJson,
        trace_text::{Look, Style, TraceText},
        why_flow::End,
    },
    schema::Command,
    source::recorded::table,
    waiting,
    why::{
        flow::{FlowFacts, FlowObserver, FlowTuples},
        unreplied::{Index, Subject},
        words::{self, NamedFlow, WordsError},
    },
};

/// The flow and the options of the watch.
#[derive(Debug, Args)]
pub(super) struct FlowArgs {
    /// Flow as printed by `conntrack -L`: its words, or the whole line
    ///
    /// The protocol, src=, dst=, and sport= and dport= or the protocol's own fields instead; zone= selects one zone.
    #[arg(value_name = "FLOW")]
    words: Vec<String>,
    #[command(flatten)]
    watching: WatchingArgs,
}

impl FlowArgs {
    /// Returns whether no flow is given.
    pub(super) fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// Options of the watch.
    pub(super) fn watching(&self) -> &WatchingArgs {
        &self.watching
    }
}

/// Runs `rsct why FLOW`.
pub(super) fn run(args: &FlowArgs) -> anyhow::Result<ExitCode> {
    let named = named(&args.words)?;
    let place = match args.watching.input.is_given() {
        true => Place::Recorded,
        false => Place::Live(Namespaces::open(&args.watching.netns)?),
    };
    let event_loop = waiting::event_loop()?;
    let is_json = args.watching.output.is_json();
    each_host(&args.watching.input, is_json, |input, output| {
        event_loop.block_on(why(args, input, output, &named, &place))
    })
}

/// Where entries are looked up.
enum Place {
    /// The selected namespaces of this machine.
    Live(Namespaces),
    /// A recording.
    Recorded,
}

/// Parses the words of the flow.
fn named(words: &[String]) -> Result<NamedFlow, UsageError> {
    words::parse(words).map_err(|error| {
        UsageError(match error {
            WordsError::NoTuple(typed) => format!(
                "{typed:?} is neither a topic nor a flow: topics are {}; a flow is as printed by `conntrack -L`, such as \
                 `udp src=10.0.0.1 dst=10.0.0.2 sport=1 dport=2`",
                Topic::names()
            ),
            error => error.to_string(),
        })
    })
}

async fn why(
    args: &FlowArgs,
    input: &InputArgs,
    output: &mut Output,
    named: &NamedFlow,
    place: &Place,
) -> anyhow::Result<()> {
    let watch = Watch::start(&args.watching, input, &scope(named))?;
    let format = args.watching.output.format;
    let before = match place {
        Place::Live(namespaces) => now(args, output, named, namespaces).await?,
        Place::Recorded => at_start(args, input, output, named)?,
    };
    let mut tuples = FlowTuples::of(named);
    for found in &before {
        tuples.add(&Tuple::from_words(found.key.orig));
        tuples.add(&found.reply);
    }
    let selected = match (place, watch.source.names()) {
        (Place::Live(namespaces), _) => {
            (!namespaces.are_all()).then(|| namespaces.iter().map(|netns| netns.inode as u32).collect())
        }
        (Place::Recorded, Some(names)) => {
            netns_of(args.watching.netns.name(), names)?.map(|netns| vec![netns])
        }
        (Place::Recorded, None) => None,
    };
    let observer = FlowObserver::new(tuples, lines(&watch, format));
    let (watching, watched) = watch.run(output, observer, None).await?;
    let (after, elsewhere) = match place {
        Place::Live(namespaces) => {
            let after = lookup::entries(namespaces, &named.orig, None, format).await?;
            let elsewhere = elsewhere(named, namespaces, &before, &after, format).await?;
            (after, elsewhere)
        }
        Place::Recorded => {
            let all = lookup::recorded(&watched.model, &watched.names, &named.orig, None, format);
            let is_selected = |found: &Found| {
                let netns = found.key.netns;
                selected
                    .as_ref()
                    .is_none_or(|selected: &Vec<u32>| selected.contains(&netns))
            };
            let (after, others): (Vec<_>, Vec<_>) = all.into_iter().partition(is_selected);
            match before.is_empty() && after.is_empty() {
                true => (after, others),
                false => (after, Vec::new()),
            }
        }
    };
    let report = FinalReport {
        named,
        selected,
        before: &before,
        after: &after,
        elsewhere: &elsewhere,
        watched: &watched,
    };
    let mut out = Vec::new();
    report.write(&mut out, &watching, format);
    if format == TextOrJson::Text {
        for found in &elsewhere {
            out.extend_from_slice(b"elsewhere: ");
            out.extend_from_slice(&found.shown);
        }
        if watching.watching.sightings.unkept != 0 {
            message!(
                "{} missing above: too many different kinds of packets were seen",
                plural::count(watching.watching.sightings.unkept, "packet is", "packets are")
            );
        }
    }
    output.print(&out)?;
    if let Place::Live(namespaces) = place {
        namespaces.report_hidden();
    }
    Ok(())
}

/// Writes the lines of the flow's observations.
fn lines(watch: &Watch, format: TextOrJson) -> impl FnMut(&mut Vec<u8>, Observation<'_>) + use<> {
    let setup = watch.source.setup();
    let mut text = TraceText::new(Look {
        ticks: setup.hz,
        start_ns: setup.started_ns,
        show_netns: true,
        style: Style::default(),
        palette: Palette::for_stream(&std::io::stdout()),
        names: watch.names.clone(),
    });
    let mut json = TraceJson::new(setup.hz);
    let mut begun = false;
    move |out, observation| match format {
        TextOrJson::Json => json.line(out, observation),
        TextOrJson::Text => {
            if !begun {
                begun = true;
                text.header(out);
            }
            text.line(out, observation);
        }
    }
}

/// Only the protocol and the family: a reply may arrive in another zone or namespace, or untranslated.
fn scope(named: &NamedFlow) -> WatchScope {
    WatchScope {
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

/// Prints the flow's entries at the start of the recording.
fn at_start(
    args: &FlowArgs,
    input: &InputArgs,
    output: &mut Output,
    named: &NamedFlow,
) -> anyhow::Result<Vec<Found>> {
    let recorded = input.open(true)?.context("no recording is given")?;
    let mut files = recorded.files;
    let model = match recorded.window.from_ns {
        0 => table::first(&mut files, Selection::default())?,
        from_ns => table::at(&mut files, Selection::default(), from_ns)?,
    };
    let model = model.context("no recording is given")?;
    let names = &recorded.start.names;
    let netns = netns_of(args.watching.netns.name(), names)?;
    let found = lookup::recorded(&model, names, &named.orig, netns, args.watching.output.format);
    print_existing(args, output, &found, "at the start")?;
    Ok(found)
}

/// Prints the flow's current entries with their remaining time and its source.
async fn now(
    args: &FlowArgs,
    output: &mut Output,
    named: &NamedFlow,
    namespaces: &Namespaces,
) -> anyhow::Result<Vec<Found>> {
    let mut listing = Listing::start(args.watching.attach.form_of_listing()).map_err(listing_error)?;
    let format = args.watching.output.format;
    let found = lookup::entries(namespaces, &named.orig, Some(&mut listing), format).await?;
    print_existing(args, output, &found, "now")?;
    report_lost_records(&listing);
    Ok(found)
}

fn print_existing(args: &FlowArgs, output: &mut Output, found: &[Found], when: &str) -> anyhow::Result<()> {
    let mut out = args.watching.output.begin(Command::WhyFlow);
    let is_text = args.watching.output.format == TextOrJson::Text;
    if is_text {
        let heading = match found.is_empty() {
            true => format!("in the table {when}: no entry with this tuple\n\n"),
            false => format!("in the table {when}:\n"),
        };
        out.extend_from_slice(heading.as_bytes());
    }
    for found in found {
        out.extend_from_slice(&found.shown);
    }
    if is_text && !found.is_empty() {
        out.push(b'\n');
    }
    output.print(&out)
}

/// The flow's entries in all other namespaces, if no selected one has it.
async fn elsewhere(
    named: &NamedFlow,
    namespaces: &Namespaces,
    before: &[Found],
    after: &[Found],
    format: TextOrJson,
) -> anyhow::Result<Vec<Found>> {
    if namespaces.are_all() || !before.is_empty() || !after.is_empty() {
        return Ok(Vec::new());
    }
    let all = Namespaces::open(&NetnsArg::all())?;
    lookup::entries(&all, &named.orig, None, format).await
}

/// The report at the end.
struct FinalReport<'a> {
    named: &'a NamedFlow,
    /// Inode numbers of the selected namespaces; none for all.
    selected: Option<Vec<u32>>,
    before: &'a [Found],
    after: &'a [Found],
    elsewhere: &'a [Found],
    watched: &'a Watched,
}

impl FinalReport<'_> {
    fn write<W: FnMut(&mut Vec<u8>, Observation<'_>)>(
        &self,
        out: &mut Vec<u8>,
        watching: &FlowObserver<W>,
        format: TextOrJson,
    ) {
        let now_ns = self.watched.now_ns;
        if format == TextOrJson::Text && watching.lines != 0 {
            out.push(b'\n');
        }
        let index = Index::of(&watching.watching.sightings);
        let keys = self.keys(watching);
        for (number, key) in keys.iter().enumerate() {
            if format == TextOrJson::Text && number != 0 {
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
            let known = FlowFacts {
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
            write_end(out, &end, self.watched, now_ns, format);
        }
        if keys.is_empty() {
            let seen = watching
                .tuples
                .seen_in(&watching.watching.sightings, &self.named.orig);
            let (here, there): (Vec<_>, Vec<_>) = seen
                .iter()
                .copied()
                .partition(|seen| self.is_selected(seen.group.place.netns));
            let known = FlowFacts {
                elsewhere: !self.elsewhere.is_empty()
                    || self.before.iter().chain(self.after).next().is_some(),
                ..FlowFacts::default()
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
            write_end(out, &end, self.watched, now_ns, format);
        }
    }

    fn is_selected(&self, netns: u32) -> bool {
        self.selected
            .as_ref()
            .is_none_or(|selected| selected.contains(&netns))
    }

    /// The flow's entries: at the start, at the end, and those deleted in between.
    fn keys<W>(&self, watching: &FlowObserver<W>) -> Vec<TupleKey> {
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
            if in_zone && self.is_selected(key.netns) && !keys.contains(&key) {
                keys.push(key);
            }
        }
        keys
    }

    fn flow(&self, key: &TupleKey) -> Option<Flow> {
        let is_it = |flow: &&Flow| flow.netns == key.netns && flow.zone == key.zone && flow.orig == key.orig;
        self.watched.model.table.flows().find(is_it).copied()
    }
}

fn is_unreplied(found: Option<&Found>) -> bool {
    found.is_some_and(|found| found.status & status::SEEN_REPLY == 0)
}

fn write_end(out: &mut Vec<u8>, end: &End<'_>, watched: &Watched, now_ns: u64, format: TextOrJson) {
    match format {
        TextOrJson::Text => end.text(out, &watched.names, now_ns),
        TextOrJson::Json => end.json(out, &watched.names),
    }
}
