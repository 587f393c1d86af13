//! `rsct why FLOW`: everything about one flow.

mod existing;
mod final_report;

use std::process::ExitCode;

use clap::Args;
use rsct_common::Tuple;

use self::final_report::FinalReport;
use super::{
    Topic,
    common::{Watch, WatchScope, WatchingArgs},
    lookup::{self, Found},
};
use crate::{
    cli::{
        UsageError,
        each_host::{Output, each_host},
        input_args::{InputArgs, netns_of},
        namespaces::Namespaces,
        shared_args::TextOrJson,
    },
    family::Family,
    filter::Filter,
    observe::Observation,
    plural,
    render::{
        color::Palette,
        trace_json::TraceJson,
        trace_text::{Look, Style, TraceText},
    },
    waiting,
    why::{
        flow::{FlowObserver, FlowTuples},
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
        Place::Live(namespaces) => existing::now(args, output, named, namespaces).await?,
        Place::Recorded => existing::at_start(args, input, output, named)?,
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
            let elsewhere = existing::elsewhere(named, namespaces, &before, &after, format).await?;
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
