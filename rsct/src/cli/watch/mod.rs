//! `rsct watch`: entry events from ctnetlink.

mod pace;
mod shown;
mod stream;

use std::{cell::RefCell, collections::HashMap, future::pending, process::ExitCode, rc::Rc, time::Duration};

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use tokio::{
    task::{AbortHandle, JoinSet, LocalSet},
    time::{Instant, MissedTickBehavior, interval, sleep},
};

use super::{
    FilterArgs, is_broken_pipe,
    list::EntryFormat,
    namespaces::{Namespaces, NetnsArg},
    privileges_arg::PrivilegesArg,
    sentence,
    shared_args::{CountArg, DurationArg, FormatArg},
};
use crate::{
    confine::Task,
    filter::Filter,
    kernel::{helper, interrupt::Signals, proc},
    netlink::event::Group,
};
use shown::Shown;
use stream::Stream;

/// Print entry events from ctnetlink: NEW, UPDATE, DESTROY
///
/// Runs until Ctrl-C, --count or --duration. An event that a netlink request caused names the requesting program. DESTROY
/// has the final counters if accounting is on, and the kernel's own times with `net.netfilter.nf_conntrack_timestamp`. By
/// default the kernel sends events only for entries created while a listener exists (`net.netfilter.nf_conntrack_events`
/// is 2); with 1 it sends those of all entries.
///
/// If events are lost because they arrive faster than they are read, rsct prints the kernel's count of lost events and
/// then the table, each entry marked SYNC: entries that are not among them no longer exist.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  rsct watch -e destroy -p tcp
  rsct watch --netns all -o json
  rsct watch --timestamp --buffer-size 256M --duration 10m")]
pub struct WatchArgs {
    #[command(flatten)]
    filter: FilterArgs,
    /// Events to print, separated by commas
    #[arg(
        short,
        long,
        value_enum,
        value_delimiter = ',',
        ignore_case = true,
        default_value = "all"
    )]
    event_mask: Vec<Mask>,
    #[command(flatten)]
    output: FormatArg<EntryFormat>,
    /// Begin each line with the time of the event
    ///
    /// The time is the kernel's own on Linux 6.14 or newer with `net.netfilter.nf_conntrack_timestamp`, else that of
    /// reception.
    #[arg(long)]
    timestamp: bool,
    /// Size of the socket's receive buffer (8388608, 512K, 64M, 1G)
    #[arg(short, long, value_name = "BYTES", default_value = "64M", value_parser = parse_size)]
    buffer_size: usize,
    /// Do not print the table after events are lost
    #[arg(long)]
    no_resync: bool,
    #[command(flatten)]
    count: CountArg,
    #[command(flatten)]
    duration: DurationArg,
    #[command(flatten)]
    netns: NetnsArg,
    #[command(flatten)]
    privileges: PrivilegesArg,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Mask {
    /// All events
    All,
    /// Created entries
    New,
    /// Changed entries
    #[value(alias = "update")]
    Updates,
    /// Deleted entries
    Destroy,
}

impl WatchArgs {
    fn groups(&self) -> Vec<Group> {
        let wanted = |mask| self.event_mask.contains(&mask) || self.event_mask.contains(&Mask::All);
        [
            (Mask::New, Group::New),
            (Mask::Updates, Group::Update),
            (Mask::Destroy, Group::Destroy),
        ]
        .into_iter()
        .filter_map(|(mask, group)| wanted(mask).then_some(group))
        .collect()
    }
}

/// Interval of the search for created and deleted namespaces.
const LOOK_FOR_NAMESPACES: Duration = Duration::from_secs(1);
/// The share of time spent on the search is at most 1 / this number, also with many processes.
const LOOK_AT_MOST: u32 = 20;

/// Runs `rsct watch`.
pub fn run(args: &WatchArgs) -> anyhow::Result<ExitCode> {
    let event_loop = crate::waiting::event_loop()?;
    match LocalSet::new().block_on(&event_loop, watch(args)) {
        Err(error) if error.downcast_ref().is_some_and(is_broken_pipe) => Ok(ExitCode::SUCCESS),
        result => result,
    }
}

async fn watch(args: &WatchArgs) -> anyhow::Result<ExitCode> {
    let filter = args.filter.filter()?;
    let confinement = args.privileges.confinement(Task::Watch, &args.netns)?;
    let mut signals = Signals::listen().context("cannot listen for signals")?;
    let namespaces = Namespaces::open(&args.netns)?;
    let shown = Rc::new(RefCell::new(Shown::new(args, &namespaces)));
    let mut watching = Watching {
        args,
        filter: Rc::new(filter),
        shown: Rc::clone(&shown),
        streams: JoinSet::new(),
        by_inode: HashMap::new(),
    };
    let mut all_went_well = watching.join(&namespaces)?;
    namespaces.report_hidden();
    if !namespaces.are_named()
        && let Some(why) = proc::processes_missing()
    {
        message!("{why}: events may lack the names of the programs that caused them");
    }
    let everywhere = namespaces.are_all();
    drop(namespaces);
    let _started = confinement.apply()?;
    shown.borrow_mut().begin()?;

    let mut look = interval(LOOK_FOR_NAMESPACES);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut over = Box::pin(async {
        match args.duration.duration {
            Some(duration) => sleep(duration).await,
            None => pending().await,
        }
    });
    loop {
        tokio::select! {
            () = signals.any() => break,
            () = &mut over => break,
            _ = look.tick(), if everywhere => {
                let begun = Instant::now();
                helper::report_end();
                all_went_well &= watching.refresh()?;
                look.reset_after(LOOK_FOR_NAMESPACES.max(begun.elapsed() * LOOK_AT_MOST));
            }
            Some(ended) = watching.streams.join_next() => match ended {
                Ok(ended) => {
                    ended?;
                    // --count is reached.
                    break;
                }
                // Its namespace no longer exists.
                Err(cancelled) if cancelled.is_cancelled() => {}
                Err(panicked) => std::panic::resume_unwind(panicked.into_panic()),
            },
        }
    }
    drop(watching);
    let mut shown = shown.borrow_mut();
    shown.end()?;
    Ok(if all_went_well {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// The streams of all namespaces.
struct Watching<'a> {
    args: &'a WatchArgs,
    filter: Rc<Filter>,
    shown: Rc<RefCell<Shown>>,
    streams: JoinSet<anyhow::Result<()>>,
    by_inode: HashMap<u64, AbortHandle>,
}

impl Watching<'_> {
    /// Opens a stream for each namespace without one. With `--netns all`, a namespace that fails is reported.
    fn join(&mut self, namespaces: &Namespaces) -> anyhow::Result<bool> {
        let mut all_went_well = true;
        for netns in namespaces.iter() {
            if self.by_inode.contains_key(&netns.inode) {
                continue;
            }
            let stream = Stream::open(namespaces, netns, self.args, &self.filter, &self.shown);
            match stream {
                Ok(stream) => {
                    self.shown.borrow_mut().joined(netns);
                    let handle = self.streams.spawn_local(stream.run());
                    self.by_inode.insert(netns.inode, handle);
                }
                Err(error) if namespaces.are_all() && !error.is_everywhere() => {
                    all_went_well = false;
                    message!("in network namespace {}: {}", netns.name, sentence(&error.into()));
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(all_went_well)
    }

    /// Opens streams for new namespaces, and closes those of namespaces that nothing else refers to: a socket would keep
    /// them alive.
    fn refresh(&mut self) -> anyhow::Result<bool> {
        let namespaces = Namespaces::open(&self.args.netns)?;
        self.by_inode.retain(|inode, stream| {
            let exists = namespaces.iter().any(|netns| netns.inode == *inode);
            if !exists {
                stream.abort();
            }
            exists
        });
        self.join(&namespaces)
    }
}

pub(in crate::cli) fn parse_size(text: &str) -> Result<usize, String> {
    let wrong = || "expected a number of bytes from 4096 to 1G, such as 8388608 or 8M".to_owned();
    let (digits, unit) = match text.strip_suffix(['k', 'K', 'm', 'M', 'g', 'G']) {
        Some(digits) => (digits, &text[digits.len()..]),
        None => (text, ""),
    };
    let shift = match unit {
        "" => 0,
        "k" | "K" => 10,
        "m" | "M" => 20,
        _ => 30,
    };
    let number: usize = digits.parse().map_err(|_| wrong())?;
    let bytes = number.checked_mul(1 << shift).ok_or_else(wrong)?;
    if (4096..=1 << 30).contains(&bytes) {
        Ok(bytes)
    } else {
        Err(wrong())
    }
}
