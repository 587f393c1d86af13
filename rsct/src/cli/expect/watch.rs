//! `rsct expect watch`: expectations as they come and go.

use std::{
    cell::RefCell,
    future::{Future, poll_fn},
    io::{self, Write as _},
    pin::Pin,
    process::ExitCode,
    task::Poll,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use tokio::time::sleep;

use super::{
    Output, exit_code,
    filter::{ExpectFilter, ExpectFilterArgs},
};
use crate::{
    cli::{
        UsageError, duration, is_broken_pipe,
        namespaces::{Namespaces, NetnsArg},
        no_events,
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

/// Show expectations as they come and go, until Ctrl-C.
///
/// An event that a netlink request caused says whose in JSON. The kernel keeps events only of connections that began
/// while somebody listened (`net.netfilter.nf_conntrack_events` is 2, its default); 1 keeps those of all.
///
/// Where events are lost because they came faster than they were read, that is said at once, and how many by the
/// kernel's own count.
#[derive(Debug, Args)]
pub(super) struct WatchArgs {
    #[command(flatten)]
    filter: ExpectFilterArgs,
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
    /// How events look.
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
    /// Stop after this many events.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// Stop after this long: 10s, 5m, 500ms.
    #[arg(long, value_name = "TIME", value_parser = duration::parse)]
    duration: Option<Duration>,
    /// How much the kernel may queue, in bytes, or with K, M or G behind the number.
    #[arg(short, long, value_name = "BYTES", default_value = "8M", value_parser = parse_size)]
    buffer_size: usize,
    #[command(flatten)]
    netns: NetnsArg,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Mask {
    /// All of them.
    All,
    /// Expectations that were made.
    New,
    /// Those that were met, expired or were deleted, or whose master went.
    Destroy,
}

/// Runs `rsct expect watch`.
pub(super) fn run(args: &WatchArgs) -> anyhow::Result<ExitCode> {
    let filter = args.filter.filter()?;
    if filter.zone.is_some() {
        let sentence = "--zone: the kernel doesn't say which zone an event is of";
        return Err(UsageError(sentence.to_owned()).into());
    }
    let namespaces = Namespaces::open(&args.netns)?;
    let format = args.output.format();
    let watch = RefCell::new(Watch {
        filter,
        format,
        named: namespaces.are_named(),
        column: namespaces.column(),
        remaining: args.count.unwrap_or(u64::MAX),
        out: Vec::new(),
        came: 0,
        went: 0,
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
    // Who could not listen has nothing to sum up.
    let sums_up = watched.is_ok() || watch.came + watch.went > 0;
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
    namespaces.tell_of_hidden();
    Ok(exit_code(all_went_well))
}

/// Listens everywhere until a signal, the last event, or the end of time.
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
    // One ends when all is over, or when it fails; there are as many as there are namespaces, which is not many.
    let first_to_end = poll_fn(|context| {
        let mut polled = listeners
            .iter_mut()
            .map(|listener| listener.as_mut().poll(context));
        polled.find(Poll::is_ready).unwrap_or(Poll::Pending)
    });
    tokio::select! {
        biased;
        () = signals.any() => Ok(()),
        () = sleep(args.duration.unwrap_or_default()), if args.duration.is_some() => Ok(()),
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

/// What is shown, and what was.
struct Watch {
    filter: ExpectFilter,
    format: Format,
    named: bool,
    column: Option<usize>,
    remaining: u64,
    out: Vec<u8>,
    came: u64,
    went: u64,
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
            EventKind::New => self.came += 1,
            EventKind::Destroy => self.went += 1,
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

    /// Whoever started this may wait for it: nothing that happens from now on goes unseen.
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

    /// Events were lost in a namespace.
    fn loss(&mut self, lost: u64, netns: &Netns) {
        self.lost += lost;
        self.overruns += 1;
        if self.format == Format::Json {
            watch_json::loss(&mut self.out, lost, 1, self.named.then_some(netns));
        }
        message!(
            "{} lost: events came faster than they were read, and the receive buffer was full \
             (ENOBUFS); `rsct expect list` shows what there is, a larger --buffer-size helps against bursts",
            plural::count(lost, "event was", "events were")
        );
    }

    /// Writes what stands behind the last event.
    fn end(&mut self, sums_up: bool) {
        self.format.end(&mut self.out);
        if self.format == Format::Json && sums_up {
            let summary = Summary {
                new: self.came,
                destroyed: self.went,
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
                self.came + self.went,
                "expectation event has",
                "expectation events have"
            ),
            self.came,
            self.went,
            plural::count(self.lost, "event", "events")
        )
    }
}
