//! `rsct why invalid`, `delete`, `insert` and so on: the topics whose answer is what the programs of causes count.

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

use super::common::{CommonArgs, Output, print};
use crate::{
    causes::{
        Answer, Cause, Unseen,
        counters::{self, Counters, Held},
        programs::{Counted, Programs, ProgramsError},
        tally::Tally,
    },
    cli::{UsageError, probing::why_not},
    flow::observation::Ticks,
    kernel::{
        interfaces::Names,
        interrupt::Signals,
        netns::{self, Selector},
        portid,
        text::Symbols,
    },
    plural,
    probe::{
        cause_hooks,
        proof::Unproven,
        scope::Scope,
        session::{Attached, How},
    },
    render::{bytes::json_line, color::Palette, why, why_json},
    schema::{self, Command, tag, why::WhyStarted},
    waiting,
};

/// A topic that causes answer.
pub(super) struct Topic {
    /// As it is typed.
    pub(super) name: &'static str,
    /// What is counted, in the singular and in the plural: `packet is …`, `packets are …`.
    pub(super) things: [&'static str; 2],
    /// The families whose causes are looked for.
    pub(super) families: &'static [CauseFamily],
    /// Which of them are told of.
    pub(super) shows: fn(Cause) -> bool,
}

/// How much is shown.
#[derive(Clone, Debug, Args)]
pub(super) struct CausesArgs {
    #[command(flatten)]
    pub(super) common: CommonArgs,
    /// How many flows, interfaces, tasks and places of each cause are shown.
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub(super) top: usize,
}

/// How often records are looked for.
const TICK: Duration = Duration::from_millis(20);

/// Watches, and answers.
pub(super) fn run(args: &CausesArgs, topic: &Topic) -> anyhow::Result<ExitCode> {
    let out = waiting::event_loop()?.block_on(answered(args, topic))?;
    print(&out)?;
    Ok(ExitCode::SUCCESS)
}

async fn answered(args: &CausesArgs, topic: &Topic) -> anyhow::Result<Vec<u8>> {
    let watching = &args.common.watching;
    let filter = args.common.filter.filter()?;
    if let Some(option) = filter.details.unknown_to_records() {
        return Err(UsageError(format!(
            "--{option}: the records of causes do not tell of it; `rsct list` and `rsct watch` take it"
        ))
        .into());
    }
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
        ProgramsError::Session(error) => why_not(error),
        error => error.into(),
    })?;
    let mut symbols = programs.symbols()?;
    let (before, counted_before) = read_both(&programs, &selector).await?;
    let mut listeners = HashMap::new();
    note_listeners(&mut listeners, topic, &before);
    let unproven = match programs.prove() {
        Err(error @ Unproven::NotRun { .. }) => {
            return Err(error).with_context(|| format!("cannot answer why {}", topic.name));
        }
        result => result.err(),
    };
    if let Some(unproven) = &unproven {
        message!("{unproven}");
    }
    started(watching.output, watching.duration, programs.attached());

    let begin = Instant::now();
    let mut tally = Tally::default();
    watch(
        &mut programs,
        &mut tally,
        &mut symbols,
        &mut signals,
        watching.duration,
    )
    .await;
    let elapsed = begin.elapsed();
    let mut held = Vec::new();
    for tries_left in (0..TRIES).rev() {
        let (after, counted_after) = read_both(&programs, &selector).await?;
        symbols.keep_up();
        programs.drain(|record| tally.record(record, &symbols));
        let mut total = tally.clone();
        total.counted(&counted_after, &counted_before, &symbols);
        held = compare(topic, &total, &after.since(&before), &after);
        note_listeners(&mut listeners, topic, &after);
        if tries_left == 0 || held.iter().all(|(_, held)| held.agrees()) || !filter.is_empty() {
            tally = total;
            break;
        }
        // A packet was under way: the kernel had counted it, and its program had not run yet.
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
        ticks: Ticks(programs.hz),
        listeners: &listeners,
        most: args.top,
    };
    let mut out = Vec::new();
    match watching.output {
        Output::Text => why::text(&mut out, &answer, Palette::for_stream(&io::stdout())),
        Output::Json => why_json::answer(&mut out, &answer),
    }
    tell_of_loss(&answer);
    Ok(out)
}

/// Looks up who is behind the sockets that events go to.
fn note_listeners(known: &mut HashMap<(u32, u32), String>, topic: &Topic, counters: &Counters) {
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

/// How often both are read at the end until they agree.
const TRIES: u32 = 5;

/// The kernel's counters and ours, as close to the same moment as they can be had.
async fn read_both(programs: &Programs, selector: &Selector) -> anyhow::Result<(Counters, Vec<Counted>)> {
    let mut counters = Counters::read(selector).await?;
    for _ in 0..TRIES {
        let counts = programs.counts()?;
        let again = Counters::read(selector).await?;
        if again == counters {
            return Ok((counters, counts));
        }
        counters = again;
    }
    // They never stand still: what is under way meanwhile may be in one and not in the other.
    Ok((counters, programs.counts()?))
}

/// Takes records in until the time is over, or until a signal.
async fn watch(
    programs: &mut Programs,
    tally: &mut Tally,
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
                symbols.keep_up();
                programs.drain(|record| tally.record(record, symbols));
            }
        }
    }
}

/// Says that from now on nothing goes unseen.
fn started(output: Output, duration: Duration, attached: Attached) {
    match output {
        Output::Text => message!(
            "watching for {} s; Ctrl-C ends it before …",
            duration.as_secs_f64()
        ),
        Output::Json => {
            let line = WhyStarted {
                r#type: tag::Started,
                hook_counts: attached.into(),
            };
            let mut out = Vec::new();
            schema::begin(&mut out, Command::Why);
            json_line(&mut out, &line);
            // An output that cannot be written to is reported with the answer.
            let _ = io::stdout().write_all(&out);
        }
    }
}

fn compare(
    topic: &Topic,
    tally: &Tally,
    grown: &[(&'static str, u64)],
    there: &Counters,
) -> Vec<(CauseFamily, Held)> {
    let mut held: Vec<(CauseFamily, Held)> = Vec::new();
    for family in topic.families {
        for comparison in counters::comparisons(*family) {
            if held.iter().all(|(_, known)| known.what != comparison.what) {
                held.push((*family, comparison.hold(tally, grown, there)));
            }
        }
    }
    held
}

/// Why the programs may not have counted all that a family's comparison needs.
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

/// What this kernel does not let us see.
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

fn tell_of_loss(answer: &Answer<'_>) {
    if let Some(unproven) = &answer.unproven {
        message!("{unproven}; causes may be MISSING");
    }
    for loss in Loss::ALL {
        let count = answer.lost.of(loss as usize);
        let what = match loss {
            _ if count == 0 => continue,
            Loss::CauseRecord => {
                "the counts hold; flows, interfaces, tasks and examples are of the other records"
            }
            Loss::CauseCount => "so many are MISSING in the counts",
            Loss::ReasonForgotten => "so many are counted without the tracker's words, or the verdict",
            _ => "so many are MISSING",
        };
        message!("{count} {} LOST ({}): {what}", loss.name(), loss.meaning());
    }
    if answer.malformed != 0 {
        message!(
            "{} no sense; please report it",
            plural::count(answer.malformed, "record made", "records made")
        );
    }
    if answer.skips.uncounted {
        message!(
            "this kernel does not count the kprobes that it leaves out while another runs on that CPU: causes may be \
             missing beside what is counted here"
        );
    }
    if answer.skips.counted != 0 {
        message!(
            "the kernel left programs out {}: as many causes are MISSING",
            plural::count(answer.skips.counted, "time", "times")
        );
    }
}
