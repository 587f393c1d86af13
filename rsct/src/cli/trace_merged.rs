//! `rsct trace --input` with recordings of several hosts or boots.

use std::{
    cell::RefCell,
    io::{self, Stdout},
    process::ExitCode,
    rc::Rc,
};

use anyhow::Context as _;

use super::{
    each_host::named,
    input_args::netns_of,
    is_broken_pipe,
    trace::{Subject, TraceArgs, TraceFormat, with_causes},
    trace_output::{closing, printer},
};
use crate::{
    filter::Filter,
    message,
    observe::{Joined, Model, Selection, Summary},
    render::{
        color::Palette,
        merged::{Host, OfHost, Shared},
        printed::{Form, Printer},
        trace_summary,
        trace_text::Look,
    },
    source::{
        Recorded,
        recorded::{
            Start,
            boots::{self, Boot},
        },
    },
};

type Output = Rc<RefCell<Shared<Stdout>>>;
type OneHost = Boot<Joined<OfHost<Box<dyn Printer>, Stdout>>>;

/// Prints the observations of all boots in the order of the time of day.
pub(super) fn run(
    args: &TraceArgs,
    filter: &Filter,
    subject: Subject,
    all: Vec<Recorded>,
) -> anyhow::Result<ExitCode> {
    let form = match args.output.format {
        TraceFormat::Json => Form::Json,
        TraceFormat::Text | TraceFormat::None => Form::Messages,
    };
    let hosts = named(form, all.iter().map(|recorded| &recorded.start));
    let zero_ns = all.iter().map(|recorded| time_of_day_ns(&recorded.start)).min();
    let mut starts = all.iter().map(|recorded| &recorded.start);
    let show_netns = starts.any(|start| start.setup.only_netns.is_none());
    let output = Shared::new(io::stdout(), args.count.count);
    let netns = namespaces(args.netns.name(), &all)?;
    let mut begun = Vec::new();
    let mut boots = Vec::new();
    for ((recorded, host), netns) in all.into_iter().zip(&hosts).zip(netns) {
        let begin = if begun.is_empty() { Some(&mut begun) } else { None };
        let printed = Printing {
            args,
            subject,
            output: &output,
            zero_ns: zero_ns.unwrap_or_default(),
            show_netns,
        };
        boots.push(printed.boot(recorded, filter, host, netns, begin));
    }
    output.borrow_mut().lines(|out| out.extend_from_slice(&begun));
    boots::run(&mut boots)?;
    finish(args, &output, boots, &hosts)
}

/// What all hosts have in common.
struct Printing<'a> {
    args: &'a TraceArgs,
    subject: Subject,
    output: &'a Output,
    /// The time of day that is printed as zero.
    zero_ns: i128,
    /// True if the lines of a host name its namespaces: then those of all do.
    show_netns: bool,
}

impl Printing<'_> {
    fn boot(
        &self,
        recorded: Recorded,
        filter: &Filter,
        host: &Host,
        netns: Option<u32>,
        begin: Option<&mut Vec<u8>>,
    ) -> OneHost {
        let Recorded { files, start, window } = recorded;
        let selection = Selection::recorded(filter, netns, window.from_ns);
        let look = Look {
            ticks: start.setup.hz,
            start_ns: (self.zero_ns - i128::from(start.realtime_offset_ns)) as u64,
            show_netns: self.show_netns,
            style: self.args.style(),
            palette: Palette::for_stream(&io::stdout()),
            names: start.names.clone(),
        };
        let mut lines = Vec::new();
        let (printer, _) = printer(self.args, self.subject, look, &mut lines);
        if let Some(begin) = begin {
            match host.form {
                Form::Messages if !lines.is_empty() => host.column(begin, "HOST"),
                _ => {}
            }
            begin.append(&mut lines);
        }
        let offset_ns = start.realtime_offset_ns;
        let mut observer = OfHost::new(
            self.output,
            host.clone(),
            offset_ns,
            start.setup.started_ns,
            printer,
        );
        if self.args.output.format == TraceFormat::None {
            observer = observer.without_explanations();
        }
        let mut setup = start.setup;
        setup.with_causes &= with_causes(self.args);
        setup.is_unfiltered &= selection.is_all();
        Boot {
            files,
            window,
            realtime_offset_ns: offset_ns,
            consumer: Joined {
                model: Model::new(&setup, selection),
                observer,
            },
        }
    }
}

/// The time of day at which a recording starts.
fn time_of_day_ns(start: &Start) -> i128 {
    i128::from(start.setup.started_ns) + i128::from(start.realtime_offset_ns)
}

/// The namespace of each host that `--netns` names. Another host may lack it.
pub(super) fn namespaces(netns: Option<&str>, all: &[Recorded]) -> anyhow::Result<Vec<Option<u32>>> {
    /// No namespace has this inode number.
    const NONE: u32 = 0;
    let found = all.iter().map(|recorded| netns_of(netns, &recorded.start.names));
    let found: Vec<_> = found.collect();
    if found.iter().all(Result::is_err)
        && let Some(Err(error)) = found.into_iter().next()
    {
        return Err(error.into());
    }
    let netns = all
        .iter()
        .map(|recorded| netns_of(netns, &recorded.start.names).unwrap_or(Some(NONE)));
    Ok(netns.collect())
}

/// Writes what follows the last event, host after host.
fn finish(
    args: &TraceArgs,
    output: &Output,
    boots: Vec<OneHost>,
    hosts: &[Host],
) -> anyhow::Result<ExitCode> {
    for (boot, host) in boots.iter().zip(hosts) {
        let model = &boot.consumer.model;
        let summary = Summary::of(model);
        let is_json = host.form == Form::Json;
        let mut shared = output.borrow_mut();
        if !shared.has_failed() {
            shared.lines(|out| {
                host.name_lines(out, |lines| closing(lines, args, is_json, model, &summary));
            });
        }
        message!("{}:", host.name);
        message::write(trace_summary::text(&summary));
    }
    let failure = output.borrow_mut().finish();
    match failure {
        Some(error) if !is_broken_pipe(&error) => {
            Err(error).context("cannot write the trace to standard output")
        }
        _ => Ok(ExitCode::SUCCESS),
    }
}
