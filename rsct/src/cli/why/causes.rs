//! `rsct why invalid`, `delete`, `insert` and so on: topics answered from cause counters.

use std::{
    io::{self, Write as _},
    process::ExitCode,
    time::Duration,
};

use anyhow::Context as _;
use clap::Args;
use rsct_common::loss::Loss;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, sleep_until};

use super::common::{CommonArgs, WatchingArgs};
use crate::{
    causes::{
        Answer,
        programs::{Programs, ProgramsError},
    },
    cli::{
        each_host::{Output, each_host},
        input_args::netns_of,
        shared_args::TextOrJson,
        watching::{records_have, report_watching},
    },
    filter::Filter,
    kernel::{
        interfaces::Names,
        interrupt::Signals,
        netns::{self, Selector},
    },
    observe::{Chosen, Consumer as _, Fact, Input},
    plural,
    probe::{proof::Unproven, scope::Scope},
    records::HookCounts,
    render::{bytes::json_line, color::Palette, why, why_json},
    schema::{self, Command, tag, why::WhyStarted},
    source::{
        Recorded,
        live::{CauseReader, Reading, StartError},
    },
    waiting,
    why::{Topic, TopicInputs},
};

/// Options of a topic answered from cause counters.
#[derive(Clone, Debug, Args)]
pub(super) struct CausesArgs {
    #[command(flatten)]
    pub(super) common: CommonArgs,
    /// Print N flows, interfaces, tasks and stacks of each cause
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub(super) top: usize,
}

/// Interval at which the ring buffer is read.
const TICK: Duration = Duration::from_millis(20);

/// Watches or reads a recording, then prints the report.
pub(super) fn run(args: &CausesArgs, topic: &Topic) -> anyhow::Result<ExitCode> {
    report(args, topic, |_, _| {})
}

/// The same. After the report of a recording, `more` appends what else it contains.
pub(super) fn report(
    args: &CausesArgs,
    topic: &Topic,
    more: impl Fn(&mut Vec<u8>, &TopicInputs),
) -> anyhow::Result<ExitCode> {
    let filter = args.common.filter.filter()?;
    records_have(
        &filter,
        "cause records do not have this field; `rsct list` and `rsct watch` accept the option",
    )?;
    let failed = || format!("cannot answer `rsct why {}`", topic.name);
    let watching = &args.common.watching;
    if watching.input.is_given() {
        return each_host(&watching.input, watching.output.is_json(), |input, output| {
            let recorded = input.open(false)?.context("no recording is given")?;
            let inputs = replay(args, topic, filter, recorded)?;
            let mut out = watching.output.begin(Command::Why);
            write_answer(&mut out, args, &inputs).with_context(failed)?;
            more(&mut out, &inputs);
            output.print(&out)
        });
    }
    let inputs = waiting::event_loop()?.block_on(watch(args, topic, filter))?;
    let mut out = Vec::new();
    write_answer(&mut out, args, &inputs).with_context(failed)?;
    Output::stdout().print(&out)?;
    Ok(ExitCode::SUCCESS)
}

/// Appends the answer, and reports losses on stderr.
fn write_answer(out: &mut Vec<u8>, args: &CausesArgs, inputs: &TopicInputs) -> anyhow::Result<()> {
    let answered = inputs.answered()?;
    let answer = inputs.answer(&answered, args.top);
    match args.common.watching.output.format {
        TextOrJson::Text => why::text(out, &answer, Palette::for_stream(&io::stdout())),
        TextOrJson::Json => why_json::answer(out, &answer),
    }
    report_loss(&answer);
    Ok(())
}

/// Reads a recording.
fn replay(
    args: &CausesArgs,
    topic: &Topic,
    filter: Filter,
    mut recorded: Recorded,
) -> anyhow::Result<TopicInputs> {
    let names = recorded.start.names.clone();
    let chosen = Chosen {
        filter,
        netns: netns_of(args.common.watching.netns.name(), &names)?,
    };
    let setup = &recorded.start.setup;
    let mut inputs = TopicInputs::recorded(*topic, setup, chosen, recorded.window.from_ns);
    inputs.take(Input::Fact(&Fact::Names(names)));
    recorded.files.run(&mut inputs, recorded.window)?;
    Ok(inputs)
}

/// Watches until the duration is over or a signal arrives.
async fn watch(args: &CausesArgs, topic: &Topic, filter: Filter) -> anyhow::Result<TopicInputs> {
    let watching = &args.common.watching;
    let mut signals = Signals::listen().context("cannot listen for signals")?;
    let selector = Selector::from_option(watching.netns.name());
    let found = netns::open(&selector)?;
    let only = match selector {
        Selector::All => None,
        _ => found.namespaces.first().map(|netns| netns.inode as u32),
    };
    drop(found);
    let names = Names::read();
    let programs = Programs::start(
        topic.families,
        watching.attach.form(),
        Scope { netns: only, filter },
    )
    .map_err(|error| match error {
        ProgramsError::Session(error) => anyhow::Error::from(StartError::of(error)),
        error => error.into(),
    })?;
    let mut inputs = TopicInputs::live(*topic, programs.hz, &filter);
    inputs.take(Input::Fact(&Fact::Names(names)));
    let mut reader = CauseReader::of(programs)?;
    reader.report(&mut inputs);
    count(&mut reader, &mut inputs, &selector).await?;
    match reader.programs.prove() {
        Err(error @ Unproven::NotRun { .. }) => {
            return Err(error).with_context(|| format!("cannot answer `rsct why {}`", topic.name));
        }
        Err(unproven) => message!("{unproven}"),
        Ok(()) => {}
    }
    started(watching, reader.programs.attached());
    drain(&mut reader, &mut inputs, &mut signals, watching.duration.duration).await;
    for tries_left in (0..TRIES).rev() {
        count(&mut reader, &mut inputs, &selector).await?;
        if tries_left == 0 || inputs.answered()?.agrees() {
            break;
        }
        // The kernel had counted a packet whose program had not run yet.
        sleep(TICK).await;
    }
    inputs.take(Input::Fact(&Fact::Names(Names::read())));
    Ok(inputs)
}

/// Maximum number of readings at the end until both counts agree.
const TRIES: u32 = 5;

/// Reads the kernel's counters and ours.
async fn count(
    reader: &mut CauseReader,
    inputs: &mut TopicInputs,
    selector: &Selector,
) -> anyhow::Result<()> {
    let reading = Reading::take(selector, || {
        reader.drain(inputs);
        reader.counts()
    })
    .await?
    .check()?;
    reader.report_counts(reading, inputs);
    Ok(())
}

/// Reads records until the duration is over or a signal arrives.
async fn drain(
    reader: &mut CauseReader,
    inputs: &mut TopicInputs,
    signals: &mut Signals,
    duration: Duration,
) {
    let mut tick = interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let end = Instant::now() + duration;
    loop {
        tokio::select! {
            biased;
            () = signals.any() => return,
            () = sleep_until(end) => return,
            _ = tick.tick() => reader.drain(inputs),
        }
    }
}

/// Reports that the watch has started: from now on no event is missed.
fn started(watching: &WatchingArgs, attached: HookCounts) {
    match watching.output.format {
        TextOrJson::Text => report_watching(watching.duration.duration),
        TextOrJson::Json => {
            let line = WhyStarted {
                r#type: tag::Started,
                hook_counts: attached.into(),
            };
            let mut out = Vec::new();
            schema::begin(&mut out, Command::Why);
            json_line(&mut out, &line);
            // A failed write is reported with the answer.
            let _ = io::stdout().write_all(&out);
        }
    }
}

fn report_loss(answer: &Answer<'_>) {
    if answer.counts_records {
        message!(
            "the counts are numbers of recorded causes that match the filter; a cause without records, such as NAT that \
             changes nothing, is omitted"
        );
    }
    if let Some(unproven) = &answer.unproven {
        message!("{unproven}; causes may be MISSING");
    }
    for loss in Loss::ALL {
        let count = answer.lost.of(loss as usize);
        let what = match loss {
            _ if count == 0 => continue,
            Loss::CauseRecord if answer.counts_records => "this number is MISSING in the counts",
            Loss::CauseRecord => {
                "counts are complete; flows, interfaces, tasks and examples are those of the other records"
            }
            Loss::CauseCount => "this number is MISSING in the counts",
            Loss::ReasonForgotten => "this number is counted without the tracker's message, or the verdict",
            _ => "this number is MISSING",
        };
        message!("{count} {} LOST ({}): {what}", loss.name(), loss.meaning());
    }
    if answer.malformed != 0 {
        message!(
            "{} malformed (please report it)",
            plural::count(answer.malformed, "record was", "records were")
        );
    }
    if answer.skips.uncounted {
        message!(
            "this kernel does not count the kprobes that it skips while another runs on the same CPU: more causes may be \
             missing than counted here"
        );
    }
    if answer.skips.counted != 0 {
        message!(
            "the kernel skipped eBPF programs {}: up to {} MISSING",
            plural::count(answer.skips.counted, "time", "times"),
            plural::count(answer.skips.counted, "cause is", "causes are")
        );
    }
}
