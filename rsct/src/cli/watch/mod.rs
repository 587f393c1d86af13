//! `rsct watch`: what happens to entries, as ctnetlink tells of it.

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
    FilterArgs, duration, is_broken_pipe,
    list::Output,
    namespaces::{Namespaces, NetnsArg},
    sentence,
};
use crate::{
    filter::Filter,
    kernel::{interrupt::Signals, proc},
    netlink::event::Group,
};
use shown::Shown;
use stream::Stream;

/// Show what happens to entries: NEW, UPDATE and DESTROY, as the kernel tells of it, until Ctrl-C.
///
/// An event that a netlink request caused says whose. DESTROY has the counters at the end where accounting is on, and
/// with `net.netfilter.nf_conntrack_timestamp` the kernel's own times. The kernel keeps events only of entries that
/// were made while somebody listened (`net.netfilter.nf_conntrack_events` is 2, its default); 1 keeps those of all.
///
/// Where events are lost because they came faster than they were read, they are counted by the kernel's own count, and
/// the table follows, each entry marked SYNC: what is not among them is gone.
#[derive(Debug, Args)]
pub struct WatchArgs {
    #[command(flatten)]
    filter: FilterArgs,
    /// Which events.
    #[arg(
        short,
        long,
        value_enum,
        value_delimiter = ',',
        ignore_case = true,
        default_value = "all"
    )]
    event_mask: Vec<Mask>,
    /// How entries look.
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
    /// Begin each line with the time: the kernel's where it says so (Linux 6.14 on, with timestamps on).
    #[arg(long)]
    timestamp: bool,
    /// How much the kernel may queue, in bytes, or with K, M or G behind the number.
    #[arg(short, long, value_name = "BYTES", default_value = "64M", value_parser = parse_size)]
    buffer_size: usize,
    /// Do not show the table after a loss.
    #[arg(long)]
    no_resync: bool,
    /// End after this many events.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// End after this time.
    #[arg(long, value_name = "TIME", value_parser = duration::parse)]
    duration: Option<Duration>,
    #[command(flatten)]
    netns: NetnsArg,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Mask {
    /// All of them.
    All,
    /// Entries that came into the table.
    New,
    /// Entries that changed.
    #[value(alias = "update")]
    Updates,
    /// Entries that went.
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

/// How often namespaces are looked for that were made, or left, meanwhile.
const LOOK_FOR_NAMESPACES: Duration = Duration::from_secs(1);
/// Where there are many processes: at most one part in so many of the time.
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
    namespaces.tell_of_hidden();
    if !namespaces.are_named()
        && let Some(why) = proc::processes_missing()
    {
        message!("{why}: programs that cause events may have no names");
    }
    let everywhere = namespaces.are_all();
    drop(namespaces);
    shown.borrow_mut().begin()?;

    let mut look = interval(LOOK_FOR_NAMESPACES);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut over = Box::pin(async {
        match args.duration {
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
                all_went_well &= watching.look_again()?;
                look.reset_after(LOOK_FOR_NAMESPACES.max(begun.elapsed() * LOOK_AT_MOST));
            }
            Some(ended) = watching.streams.join_next() => match ended {
                Ok(ended) => {
                    ended?;
                    // Enough was shown.
                    break;
                }
                // Its namespace is gone.
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

/// The streams there are.
struct Watching<'a> {
    args: &'a WatchArgs,
    filter: Rc<Filter>,
    shown: Rc<RefCell<Shown>>,
    streams: JoinSet<anyhow::Result<()>>,
    by_inode: HashMap<u64, AbortHandle>,
}

impl Watching<'_> {
    /// Begins to watch those that are not watched yet. Where all are asked for, one that can't be is told of.
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

    /// Joins namespaces that were made meanwhile, and leaves those that everybody else has left: a socket would keep
    /// them alive.
    fn look_again(&mut self) -> anyhow::Result<bool> {
        let namespaces = Namespaces::open(&self.args.netns)?;
        self.by_inode.retain(|inode, stream| {
            let is_there = namespaces.iter().any(|netns| netns.inode == *inode);
            if !is_there {
                stream.abort();
            }
            is_there
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
