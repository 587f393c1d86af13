//! The events of one network namespace.

use std::{cell::RefCell, future::ready, io, ops::ControlFlow, rc::Rc, time::Duration};

use super::{Shown, WatchArgs, pace::Pace};
use crate::{
    cli::{namespaces::Namespaces, reading},
    filter::Filter,
    kernel::{netns::Netns, portid::RecentPrograms},
    netlink::{Error, Socket, conntrack::Entry, dump, event},
    render::{
        entry::now,
        event_line::{Event, Requester},
    },
};

/// Pause during a burst, in which events accumulate: a wakeup and a write for each event cost more than the event.
const BURST_PAUSE: Duration = Duration::from_millis(1);
/// A receive buffer of this size holds the events of a pause at any rate.
const PAUSE_BYTES: usize = 4 * 1024 * 1024;

/// A socket that receives events.
pub(super) struct Stream {
    socket: Socket,
    /// Print the table after a loss.
    resyncs: bool,
    netns: Netns,
    filter: Rc<Filter>,
    shown: Rc<RefCell<Shown>>,
    programs: RecentPrograms,
    /// The namespace is that of this process: only there can the programs of port ids be found.
    is_own: bool,
    /// The rate of events, if the receive buffer is large enough for pauses.
    pace: Option<Pace>,
    /// The kernel's count of drops at the last reading.
    dropped: u32,
    /// The socket's overruns, likewise.
    overruns: u64,
}

impl Stream {
    /// Subscribes to events.
    pub(super) fn open(
        namespaces: &Namespaces,
        netns: &Netns,
        args: &WatchArgs,
        filter: &Rc<Filter>,
        shown: &Rc<RefCell<Shown>>,
    ) -> Result<Self, Error> {
        let socket = namespaces.socket(netns)?;
        for group in args.groups() {
            socket.subscribe(group)?;
        }
        let wanted = args.buffer_size;
        let got = socket.set_receive_buffer(wanted)?;
        if got < wanted {
            message!(
                "the receive buffer has {got} bytes instead of {wanted}: net.core.rmem_max allows no more \
                 without the capability CAP_NET_ADMIN"
            );
        }
        Ok(Self {
            dropped: socket.dropped()?,
            overruns: socket.overruns(),
            socket,
            resyncs: !args.no_resync,
            netns: netns.share(),
            filter: Rc::clone(filter),
            shown: Rc::clone(shown),
            programs: RecentPrograms::default(),
            is_own: !namespaces.are_named(),
            pace: (got >= PAUSE_BYTES).then(Pace::default),
        })
    }

    /// Prints events until `--count` is reached.
    pub(super) async fn run(mut self) -> anyhow::Result<()> {
        loop {
            let is_behind = self.socket.overruns() != self.overruns;
            let has_waiting = self.shown.borrow().has_waiting();
            let mut sink = EventSink {
                filter: &self.filter,
                shown: &self.shown,
                netns: &self.netns,
                programs: self.is_own.then_some(&mut self.programs),
                now: now(),
                error: None,
            };
            tokio::select! {
                biased;
                taken = event::next(&mut self.socket, |event| sink.event(event)) => match taken {
                    Ok(ControlFlow::Continue(())) => {
                        if let Some(pace) = &mut self.pace {
                            pace.event();
                        }
                    }
                    Ok(ControlFlow::Break(())) => return sink.error.map_or(Ok(()), |error| Err(error.into())),
                    // The events still queued come first, then the loss is reported.
                    Err(Error::Overrun { .. }) => {}
                    Err(error) => return Err(error.into()),
                },
                // The queue is empty.
                () = ready(()), if is_behind => self.catch_up().await?,
                () = ready(()), if has_waiting => {
                    self.shown.borrow_mut().flush()?;
                    if self.pace.as_mut().is_some_and(Pace::is_burst) {
                        // Not tokio's sleep, which each event would wake up.
                        std::thread::sleep(BURST_PAUSE);
                    }
                }
            }
        }
    }

    /// Reports a loss, and prints the table.
    async fn catch_up(&mut self) -> anyhow::Result<()> {
        let (dropped, overruns) = (self.socket.dropped()?, self.socket.overruns());
        let lost = dropped.wrapping_sub(self.dropped);
        let times = overruns - self.overruns;
        (self.dropped, self.overruns) = (dropped, overruns);
        self.shown.borrow_mut().loss(lost.into(), times, &self.netns)?;
        if !self.resyncs {
            return Ok(());
        }
        let mut dump_socket = self.socket.open_sibling()?;
        let plan = self.filter.plan();
        let mut sink = ResyncSink {
            filter: &self.filter,
            shown: &self.shown,
            netns: &self.netns,
            now: now(),
            entries: 0,
            error: None,
        };
        // On this thread: between two datagrams of the dump it receives events.
        reading::entries_concurrently(&mut dump_socket, &plan, &mut sink).await?;
        let (entries, error) = (sink.entries, sink.error);
        error.map_or(Ok(()), Err)?;
        self.shown.borrow_mut().synced(entries, &self.netns)?;
        Ok(())
    }
}

/// Prints the events of a datagram.
struct EventSink<'a> {
    filter: &'a Filter,
    shown: &'a RefCell<Shown>,
    netns: &'a Netns,
    programs: Option<&'a mut RecentPrograms>,
    now: Duration,
    error: Option<io::Error>,
}

impl EventSink<'_> {
    fn event(&mut self, event: event::Event<'_>) -> ControlFlow<()> {
        if !self.filter.meets(event.entry) {
            return ControlFlow::Continue(());
        }
        let requester = (event.port != 0).then(|| Requester {
            portid: event.port,
            progname: self
                .programs
                .as_mut()
                .and_then(|programs| programs.name(event.port)),
        });
        let shown =
            self.shown
                .borrow_mut()
                .event(event.kind.into(), event.entry, requester, self.netns, self.now);
        match shown {
            Ok(true) => ControlFlow::Continue(()),
            Ok(false) => ControlFlow::Break(()),
            Err(error) => {
                self.error = Some(error);
                ControlFlow::Break(())
            }
        }
    }
}

/// Prints the entries of the table after a loss.
struct ResyncSink<'a> {
    filter: &'a Filter,
    shown: &'a RefCell<Shown>,
    netns: &'a Netns,
    now: Duration,
    entries: u64,
    error: Option<io::Error>,
}

impl dump::Sink for ResyncSink<'_> {
    fn entry(&mut self, entry: &Entry<'_>) -> ControlFlow<()> {
        if !self.filter.meets(entry) {
            return ControlFlow::Continue(());
        }
        self.entries += 1;
        let shown = self
            .shown
            .borrow_mut()
            .event(Event::Sync, entry, None, self.netns, self.now);
        match shown {
            Ok(_) => ControlFlow::Continue(()),
            Err(error) => {
                self.error = Some(error);
                ControlFlow::Break(())
            }
        }
    }

    fn restart(&mut self) -> bool {
        // Entries may be printed twice: the later line counts.
        self.entries = 0;
        true
    }
}
