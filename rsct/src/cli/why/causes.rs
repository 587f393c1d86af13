//! `rsct why invalid`, `delete`, `insert` and so on: topics answered from cause counters.

use std::{
    collections::HashMap,
    io::{self, Write as _},
    process::ExitCode,
    time::Duration,
};

use anyhow::Context as _;
use clap::Args;
use rsct_common::{loss::Loss, record::CauseFamily};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, sleep_until};

use super::common::{CommonArgs, WatchingArgs, print};
use crate::{
    causes::{
        Answer, Cause, Unseen,
        counters::{self, CounterCheck, KernelCounters},
        programs::{KeyCount, Programs, ProgramsError},
        tally::CauseTotals,
    },
    cli::{
        shared_args::TextOrJson,
        watching::{records_have, report_watching},
    },
    kernel::{
        interfaces::Names,
        interrupt::Signals,
        netns::{self, Selector},
        portid,
        text::Symbols,
    },
    plural,
    probe::{cause_hooks, proof::Unproven, scope::Scope, session::How},
    records::HookCounts,
    render::{bytes::json_line, color::Palette, why, why_json},
    schema::{self, Command, tag, why::WhyStarted},
    source::live::StartError,
    waiting,
};

/// A topic answered from cause counters.
pub(super) struct Topic {
    /// Name on the command line.
    pub(super) name: &'static str,
    /// The counted events, in the singular and in the plural: `packet is …`, `packets are …`.
    pub(super) things: [&'static str; 2],
    /// The families of its causes.
    pub(super) families: &'static [CauseFamily],
    /// Returns whether the topic reports a cause.
    pub(super) shows: fn(Cause) -> bool,
}

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

/// Watches, then prints the report.
pub(super) fn run(args: &CausesArgs, topic: &Topic) -> anyhow::Result<ExitCode> {
    let out = waiting::event_loop()?.block_on(report(args, topic))?;
    print(&out)?;
    Ok(ExitCode::SUCCESS)
}

async fn report(args: &CausesArgs, topic: &Topic) -> anyhow::Result<Vec<u8>> {
    let watching = &args.common.watching;
    let filter = args.common.filter.filter()?;
    records_have(
        &filter,
        "cause records do not have this field; `rsct list` and `rsct watch` accept the option",
    )?;
    let mut signals = Signals::listen().context("cannot listen for signals")?;
    let selector = Selector::from_option(watching.netns.name());
    let found = netns::open(&selector)?;
    let only = match selector {
        Selector::All => None,
        _ => found.namespaces.first().map(|netns| netns.inode as u32),
    };
    drop(found);
    let mut names = Names::read();
    let mut programs = Programs::start(
        topic.families,
        watching.attach.form(),
        Scope { netns: only, filter },
    )
    .map_err(|error| match error {
        ProgramsError::Session(error) => anyhow::Error::from(StartError::of(error)),
        error => error.into(),
    })?;
    let mut symbols = programs.symbols()?;
    let (before, counted_before) = read_both(&programs, &selector).await?;
    let mut listeners = HashMap::new();
    note_listeners(&mut listeners, topic, &before);
    let unproven = match programs.prove() {
        Err(error @ Unproven::NotRun { .. }) => {
            return Err(error).with_context(|| format!("cannot answer `rsct why {}`", topic.name));
        }
        result => result.err(),
    };
    if let Some(unproven) = &unproven {
        message!("{unproven}");
    }
    started(watching, programs.attached());

    let begin = Instant::now();
    let mut tally = CauseTotals::default();
    watch(
        &mut programs,
        &mut tally,
        &mut symbols,
        &mut signals,
        watching.duration.duration,
    )
    .await;
    let elapsed = begin.elapsed();
    let mut held = Vec::new();
    for tries_left in (0..TRIES).rev() {
        let (after, counted_after) = read_both(&programs, &selector).await?;
        symbols.clear_if_modules_changed();
        programs.drain(|record| tally.record(record, &symbols));
        let mut total = tally.clone();
        total.counted(&counted_after, &counted_before, &symbols);
        held = compare(topic, &total, &after.since(&before), &after);
        note_listeners(&mut listeners, topic, &after);
        if tries_left == 0 || held.iter().all(|(_, held)| held.agrees()) || !filter.is_empty() {
            tally = total;
            break;
        }
        // The kernel had counted a packet whose program had not run yet.
        sleep(TICK).await;
    }
    names.read_again();
    let unproven = programs.prove().err().or(unproven);
    let unseen = unseen(&programs);
    for (family, held) in &mut held {
        held.unknown = cannot_count(*family, unproven.as_ref(), &unseen).or(held.unknown.take());
    }
    let held = held.into_iter().map(|(_, held)| held).collect();
    let answer = Answer {
        topic: topic.name,
        things: topic.things,
        elapsed,
        causes: tally.causes(topic.shows),
        held: if filter.is_empty() { held } else { Vec::new() },
        filtered: !filter.is_empty(),
        unseen,
        unproven,
        lost: programs.lost(),
        skips: programs.skips(),
        malformed: programs.malformed(),
        names: &names,
        symbols: &symbols,
        ticks: programs.hz,
        listeners: &listeners,
        most: args.top,
    };
    let mut out = Vec::new();
    match watching.output.format {
        TextOrJson::Text => why::text(&mut out, &answer, Palette::for_stream(&io::stdout())),
        TextOrJson::Json => why_json::answer(&mut out, &answer),
    }
    report_loss(&answer);
    Ok(out)
}

/// Looks up the programs of the sockets that receive events.
fn note_listeners(known: &mut HashMap<(u32, u32), String>, topic: &Topic, counters: &KernelCounters) {
    if !topic.families.contains(&CauseFamily::Lost) {
        return;
    }
    for (netns, listener) in &counters.listeners {
        if let Some(program) = portid::owner(listener.portid, listener.inode) {
            let program = String::from_utf8_lossy(&program).into_owned();
            known.entry((*netns, listener.portid)).or_insert(program);
        }
    }
}

/// Maximum number of readings at the end until both counts agree.
const TRIES: u32 = 5;

/// Reads the kernel's counters and ours as close together as possible.
async fn read_both(
    programs: &Programs,
    selector: &Selector,
) -> anyhow::Result<(KernelCounters, Vec<KeyCount>)> {
    let mut counters = KernelCounters::read(selector).await?;
    for _ in 0..TRIES {
        let counts = programs.counts()?;
        let again = KernelCounters::read(selector).await?;
        if again == counters {
            return Ok((counters, counts));
        }
        counters = again;
    }
    // The counters change all the time: a packet in progress may be in one count and not in the other.
    Ok((counters, programs.counts()?))
}

/// Counts records until the duration is over or a signal arrives.
async fn watch(
    programs: &mut Programs,
    tally: &mut CauseTotals,
    symbols: &mut Symbols,
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
            _ = tick.tick() => {
                symbols.clear_if_modules_changed();
                programs.drain(|record| tally.record(record, symbols));
            }
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

fn compare(
    topic: &Topic,
    tally: &CauseTotals,
    grown: &[(&'static str, u64)],
    there: &KernelCounters,
) -> Vec<(CauseFamily, CounterCheck)> {
    let mut held: Vec<(CauseFamily, CounterCheck)> = Vec::new();
    for family in topic.families {
        for comparison in counters::comparisons(*family) {
            if held.iter().all(|(_, known)| known.what != comparison.what) {
                held.push((*family, comparison.check(tally, grown, there)));
            }
        }
    }
    held
}

/// The reason why a family's count may be incomplete.
fn cannot_count(family: CauseFamily, unproven: Option<&Unproven>, unseen: &[Unseen]) -> Option<String> {
    if let Some(unproven) = unproven {
        return Some(unproven.to_string());
    }
    let hooks = cause_hooks::of(&[family]);
    let missing = unseen
        .iter()
        .find(|unseen| hooks.iter().any(|hook| hook.function == unseen.function))?;
    Some(format!("rsct is not attached to {}", missing.function))
}

/// Hooks that are missing or not attached on this kernel.
fn unseen(programs: &Programs) -> Vec<Unseen> {
    let refused = programs.hooks().iter().filter(|report| report.how == How::Not);
    let refused = refused.map(|report| Unseen {
        function: report.hook.function,
        shows: report.hook.shows,
        why: report.why_not_better.join("; "),
    });
    let absent = programs.absent.iter().map(|hook| Unseen {
        function: hook.function,
        shows: hook.shows,
        why: "this kernel has no such function, or its module is not loaded".to_owned(),
    });
    refused.chain(absent).collect()
}

fn report_loss(answer: &Answer<'_>) {
    if let Some(unproven) = &answer.unproven {
        message!("{unproven}; causes may be MISSING");
    }
    for loss in Loss::ALL {
        let count = answer.lost.of(loss as usize);
        let what = match loss {
            _ if count == 0 => continue,
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
