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
use tokio::{
    signal::unix::{SignalKind, signal},
    time::sleep,
};

use super::{
    Output, exit_code,
    filter::{ExpectFilter, ExpectFilterArgs},
};
use crate::{
    cli::{
        UsageError, duration, is_broken_pipe,
        namespaces::{Namespaces, NetnsArg, event_loop},
    },
    kernel::netns::Netns,
    netlink::{
        Error, Socket,
        event::Group,
        expect::{self, Event, EventKind},
    },
    render::expect::{About, Format, Happened},
};

/// Show expectations as they come and go, in the form of `conntrack -E expect`, as JSON or as XML, until a signal. A
/// loss is said at once and counted at the end. Where net.netfilter.nf_conntrack_events is 2, as it is at first, the
/// kernel tells only of connections that began while somebody listened.
#[derive(Debug, Args)]
pub(super) struct WatchArgs {
    #[command(flatten)]
    filter: ExpectFilterArgs,
    /// What to show; everything unless given.
    #[arg(short, long, value_enum, value_delimiter = ',', value_name = "EVENT")]
    event: Vec<EventArg>,
    /// How events look.
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
    /// Stop after this many events.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// Stop after this long: 10s, 5m, 500ms.
    #[arg(long, value_name = "TIME", value_parser = duration::parse)]
    duration: Option<Duration>,
    /// How much the kernel may queue, in KiB.
    #[arg(short, long, value_name = "KIB", default_value_t = 8192, value_parser = clap::value_parser!(u32).range(1..=1 << 20))]
    buffer_size: u32,
    #[command(flatten)]
    netns: NetnsArg,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum EventArg {
    /// An expectation was made.
    New,
    /// One was met, expired or was deleted, or its master went.
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
    let mut out = Vec::new();
    format.begin(&mut out);
    let watch = RefCell::new(Watch {
        filter,
        format,
        named: namespaces.are_named(),
        column: namespaces.column(),
        remaining: args.count.unwrap_or(u64::MAX),
        out,
        came: 0,
        went: 0,
        losses: 0,
        error: None,
    });
    let (watched, all_went_well) = event_loop()?.block_on(async {
        let (sockets, all_went_well) = namespaces.sockets()?;
        let watched = until_the_end(args, sockets, &watch).await;
        anyhow::Ok((watched, all_went_well))
    })?;
    let mut watch = watch.into_inner();
    format.end(&mut watch.out);
    watch.flush();
    match watch.error.take() {
        Some(error) if is_broken_pipe(&error) => return Ok(exit_code(all_went_well)),
        Some(error) => return Err(error).context("writing events to standard output"),
        None => {}
    }
    // Who could not listen has nothing to sum up.
    if watched.is_ok() || watch.came + watch.went > 0 {
        eprintln!("{}", watch.summary());
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
    let mut interrupt = signal(SignalKind::interrupt()).context("listening for signals")?;
    let mut terminate = signal(SignalKind::terminate()).context("listening for signals")?;
    let wanted = |event| args.event.is_empty() || args.event.contains(&event);
    for (_, socket) in &sockets {
        socket.set_receive_buffer(args.buffer_size as usize * 1024)?;
        if wanted(EventArg::New) {
            socket.subscribe(Group::ExpectNew)?;
        }
        if wanted(EventArg::Destroy) {
            socket.subscribe(Group::ExpectDestroy)?;
        }
    }
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
        _ = interrupt.recv() => Ok(()),
        _ = terminate.recv() => Ok(()),
        () = sleep(args.duration.unwrap_or_default()), if args.duration.is_some() => Ok(()),
        ended = first_to_end => Ok(ended?),
    }
}

type Listener<'a> = Pin<Box<dyn Future<Output = Result<(), Error>> + 'a>>;

async fn listen(netns: &Netns, mut socket: Socket, watch: &RefCell<Watch>) -> Result<(), Error> {
    watch.borrow_mut().flush();
    while !watch.borrow().is_over() {
        let next = expect::next_events(&mut socket, |event| watch.borrow_mut().take(netns, event)).await;
        match next {
            Ok(()) => watch.borrow_mut().flush(),
            Err(Error::Overrun { .. }) => watch.borrow_mut().lost(netns),
            Err(error) => return Err(error),
        }
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
    losses: u64,
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

    fn lost(&mut self, netns: &Netns) {
        self.losses += 1;
        eprintln!(
            "rsct: events were lost in network namespace {}: the receive buffer was full; --buffer-size makes it larger",
            netns.name
        );
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
        let shown = self.came + self.went;
        let lost = match self.losses {
            0 => "none were lost".to_owned(),
            1 => "events were lost once".to_owned(),
            n => format!("events were lost {n} times"),
        };
        format!(
            "rsct: {shown} expectation events have been shown: {} new, {} destroy; {lost}.",
            self.came, self.went
        )
    }
}
