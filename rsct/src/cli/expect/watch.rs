//! `rsct expect watch`: expectation events from ctnetlink.

use std::{
    cell::RefCell,
    future::{Future, poll_fn},
    io::{self, Write as _},
    pin::Pin,
    process::ExitCode,
    task::Poll,
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use tokio::time::sleep;

use super::{
    ExpectationFormat, exit_code,
    filter::{ExpectFilter, ExpectFilterArgs},
};
use crate::{
    cli::{
        UsageError, is_broken_pipe,
        namespaces::{Namespaces, NetnsArg},
        no_events,
        shared_args::{CountArg, DurationArg, FormatArg},
        watch::parse_size,
    },
    kernel::{interrupt::Signals, netns::Netns},
    message,
    netlink::{
        Error, Socket,
        event::Group,
        expect::{self, Event, EventKind},
    },
    plural,
    render::{
        expect::{About, Format, Happened},
        watch_json::{self, Summary},
    },
    schema::Command,
    waiting,
};

/// Print expectation events from ctnetlink: NEW, DESTROY
///
/// Runs until Ctrl-C, --count or --duration. In JSON, an event that a netlink request caused has the port id of the
/// requester. By default the kernel sends events only for connections that began while a listener exists
/// (`net.netfilter.nf_conntrack_events` is 2); with 1 it sends those of all connections.
///
/// If events are lost because they arrive faster than they are read, rsct prints the kernel's count of lost events.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  rsct expect watch
  rsct expect watch -e new --helper ftp -o json
  rsct expect watch --netns all --duration 10m")]
pub(super) struct WatchArgs {
    #[command(flatten)]
    filter: ExpectFilterArgs,
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
    output: FormatArg<ExpectationFormat>,
    #[command(flatten)]
    count: CountArg,
    #[command(flatten)]
    duration: DurationArg,
    /// Size of the socket's receive buffer (8388608, 512K, 64M, 1G)
    #[arg(short, long, value_name = "BYTES", default_value = "8M", value_parser = parse_size)]
    buffer_size: usize,
    #[command(flatten)]
    netns: NetnsArg,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Mask {
    /// All events
    All,
    /// Created expectations
    New,
    /// Expectations that matched, expired or were deleted, or whose master was deleted
    Destroy,
}

/// Runs `rsct expect watch`.
pub(super) fn run(args: &WatchArgs) -> anyhow::Result<ExitCode> {
    let filter = args.filter.filter()?;
    if filter.zone.is_some() {
        let sentence = "--zone: events do not have the zone of the expectation";
        return Err(UsageError(sentence.to_owned()).into());
    }
    let namespaces = Namespaces::open(&args.netns)?;
    let format = args.output.renderer();
    let watch = RefCell::new(Watch {
        filter,
        format,
        named: namespaces.are_named(),
        column: namespaces.column(),
        remaining: args.count.count.unwrap_or(u64::MAX),
        out: Vec::new(),
        created: 0,
        destroyed: 0,
        lost: 0,
        overruns: 0,
        error: None,
    });
    let (watched, all_went_well) = waiting::event_loop()?.block_on(async {
        let (sockets, all_went_well) = namespaces.sockets()?;
        let watched = until_the_end(args, sockets, &watch).await;
        anyhow::Ok((watched, all_went_well))
    })?;
    let mut watch = watch.into_inner();
    // No summary if listening failed.
    let sums_up = watched.is_ok() || watch.created + watch.destroyed > 0;
    watch.end(sums_up);
    match watch.error.take() {
        Some(error) if is_broken_pipe(&error) => return Ok(exit_code(all_went_well)),
        Some(error) => return Err(error).context("writing events to standard output"),
        None => {}
    }
    if sums_up {
        message::write(watch.summary());
    }
    watched?;
    namespaces.report_hidden();
    Ok(exit_code(all_went_well))
}

/// Listens in all namespaces until a signal, the last event, or the end of the duration.
async fn until_the_end(
    args: &WatchArgs,
    sockets: Vec<(&Netns, Socket)>,
    watch: &RefCell<Watch>,
) -> anyhow::Result<()> {
    let mut signals = Signals::listen().context("cannot listen for signals")?;
    let wanted = |mask| args.event_mask.contains(&mask) || args.event_mask.contains(&Mask::All);
    for (_, socket) in &sockets {
        for (mask, group) in [
            (Mask::New, Group::ExpectNew),
            (Mask::Destroy, Group::ExpectDestroy),
        ] {
            if wanted(mask) {
                socket.subscribe(group)?;
            }
        }
        socket.set_receive_buffer(args.buffer_size)?;
    }
    watch.borrow_mut().begin(sockets.iter().map(|(netns, _)| *netns));
    let mut listeners: Vec<Listener<'_>> = sockets
        .into_iter()
        .map(|(netns, socket)| Box::pin(listen(netns, socket, watch)) as Listener<'_>)
        .collect();
    // A listener ends when --count is reached, or when it fails. There are few: one for each namespace.
    let first_to_end = poll_fn(|context| {
        let mut polled = listeners
            .iter_mut()
            .map(|listener| listener.as_mut().poll(context));
        polled.find(Poll::is_ready).unwrap_or(Poll::Pending)
    });
    tokio::select! {
        biased;
        () = signals.any() => Ok(()),
        () = sleep(args.duration.duration.unwrap_or_default()), if args.duration.duration.is_some() => Ok(()),
        ended = first_to_end => Ok(ended?),
    }
}

type Listener<'a> = Pin<Box<dyn Future<Output = Result<(), Error>> + 'a>>;

async fn listen(netns: &Netns, mut socket: Socket, watch: &RefCell<Watch>) -> Result<(), Error> {
    let mut dropped = socket.dropped()?;
    while !watch.borrow().is_over() {
        let next = expect::next_events(&mut socket, |event| watch.borrow_mut().take(netns, event)).await;
        match next {
            Ok(()) => {}
            Err(Error::Overrun { .. }) => {
                let by_now = socket.dropped()?;
                watch
                    .borrow_mut()
                    .loss(by_now.wrapping_sub(dropped).into(), netns);
                dropped = by_now;
            }
            Err(error) => return Err(error),
        }
        watch.borrow_mut().flush();
    }
    Ok(())
}

/// Buffered lines and the counts for the summary.
struct Watch {
    filter: ExpectFilter,
    format: Format,
    named: bool,
    column: Option<usize>,
    remaining: u64,
    out: Vec<u8>,
    created: u64,
    destroyed: u64,
    lost: u64,
    overruns: u64,
    error: Option<io::Error>,
}

impl Watch {
    fn take(&mut self, netns: &Netns, event: &Event<'_>) {
        if self.is_over() || !self.filter.meets(&event.expectation) {
            return;
        }
        self.remaining -= 1;
        match event.kind {
            EventKind::New => self.created += 1,
            EventKind::Destroy => self.destroyed += 1,
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let about = About {
            netns: self.named.then_some(netns),
            column: self.column,
            happened: Some(Happened {
                kind: event.kind,
                received_ns: u64::try_from(now.as_nanos()).unwrap_or(u64::MAX),
                portid: event.portid,
            }),
        };
        self.format.expectation(&mut self.out, &event.expectation, &about);
    }

    /// Reports that the watch has started: from now on no event is missed.
    fn begin<'n>(&mut self, namespaces: impl Iterator<Item = &'n Netns>) {
        self.format.begin(&mut self.out, Command::ExpectWatch);
        for netns in namespaces {
            no_events::report(&mut self.out, netns, self.named, self.format == Format::Json);
        }
        if self.format == Format::Json {
            watch_json::started(&mut self.out);
        }
        self.flush();
    }

    /// Reports lost events of a namespace.
    fn loss(&mut self, lost: u64, netns: &Netns) {
        self.lost += lost;
        self.overruns += 1;
        if self.format == Format::Json {
            watch_json::loss(&mut self.out, lost, 1, self.named.then_some(netns));
        }
        message!(
            "{} lost: events arrived faster than they were read, and the receive buffer was full \
             (ENOBUFS); `rsct expect list` prints the expectations, a larger --buffer-size helps with bursts",
            plural::count(lost, "event was", "events were")
        );
    }

    /// Writes what follows the last event.
    fn end(&mut self, sums_up: bool) {
        self.format.end(&mut self.out);
        if self.format == Format::Json && sums_up {
            let summary = Summary {
                new: self.created,
                destroyed: self.destroyed,
                lost: self.lost,
                overruns: self.overruns,
                ..Summary::default()
            };
            watch_json::summary(&mut self.out, &summary);
        }
        self.flush();
    }

    fn is_over(&self) -> bool {
        self.remaining == 0 || self.error.is_some()
    }

    fn flush(&mut self) {
        if self.error.is_none() {
            let mut stdout = io::stdout().lock();
            self.error = stdout.write_all(&self.out).and_then(|()| stdout.flush()).err();
        }
        self.out.clear();
    }

    fn summary(&self) -> String {
        format!(
            "rsct: {} been shown: {} new, {} destroyed.\nrsct: {} lost.\n",
            plural::count(
                self.created + self.destroyed,
                "expectation event has",
                "expectation events have"
            ),
            self.created,
            self.destroyed,
            plural::count(self.lost, "event", "events")
        )
    }
}
