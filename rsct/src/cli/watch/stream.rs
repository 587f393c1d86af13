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

/// To be woken up for each event, and to write each by itself, costs the machine more than the event does. Where they
/// come in a rush, some are left to gather.
const GATHERING: Duration = Duration::from_millis(1);
/// Far more than gathers at any rate that there is.
const ROOM_TO_GATHER: usize = 4 * 1024 * 1024;

/// A socket that events come in by.
pub(super) struct Stream {
    socket: Socket,
    /// Show the table after a loss.
    resyncs: bool,
    netns: Netns,
    filter: Rc<Filter>,
    shown: Rc<RefCell<Shown>>,
    programs: RecentPrograms,
    /// Programs can be looked up in our own namespace alone.
    is_own: bool,
    /// How fast events come, where the kernel may queue enough of them to let some gather.
    pace: Option<Pace>,
    /// The kernel's count of drops when it was last looked at.
    dropped: u32,
    /// The socket's overruns, likewise.
    overruns: u64,
}

impl Stream {
    /// Has the kernel send events from now on.
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
                "the receive buffer has {got} bytes in place of {wanted}: net.core.rmem_max allows no more \
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
            pace: (got >= ROOM_TO_GATHER).then(Pace::default),
        })
    }

    /// Shows events until enough are shown.
    pub(super) async fn run(mut self) -> anyhow::Result<()> {
        loop {
            let is_behind = self.socket.overruns() != self.overruns;
            let has_waiting = self.shown.borrow().has_waiting();
            let mut taking = Taking {
                filter: &self.filter,
                shown: &self.shown,
                netns: &self.netns,
                programs: self.is_own.then_some(&mut self.programs),
                now: now(),
                error: None,
            };
            tokio::select! {
                biased;
                taken = event::next(&mut self.socket, |event| taking.event(event)) => match taken {
                    Ok(ControlFlow::Continue(())) => {
                        if let Some(pace) = &mut self.pace {
                            pace.event();
                        }
                    }
                    Ok(ControlFlow::Break(())) => return taking.error.map_or(Ok(()), |error| Err(error.into())),
                    // What is still queued comes first, then the loss is told of.
                    Err(Error::Overrun { .. }) => {}
                    Err(error) => return Err(error.into()),
                },
                // Nothing is queued any more.
                () = ready(()), if is_behind => self.catch_up().await?,
                () = ready(()), if has_waiting => {
                    self.shown.borrow_mut().flush()?;
                    if self.pace.as_mut().is_some_and(Pace::is_rush) {
                        // Not tokio's: as long as that waits, each event wakes it up.
                        std::thread::sleep(GATHERING);
                    }
                }
            }
        }
    }

    /// Tells of a loss, and shows the table after it.
    async fn catch_up(&mut self) -> anyhow::Result<()> {
        let (dropped, overruns) = (self.socket.dropped()?, self.socket.overruns());
        let lost = dropped.wrapping_sub(self.dropped);
        let times = overruns - self.overruns;
        (self.dropped, self.overruns) = (dropped, overruns);
        self.shown.borrow_mut().loss(lost.into(), times, &self.netns)?;
        if !self.resyncs {
            return Ok(());
        }
        let mut asking = self.socket.beside()?;
        let plan = self.filter.plan();
        let mut syncing = Syncing {
            filter: &self.filter,
            shown: &self.shown,
            netns: &self.netns,
            now: now(),
            entries: 0,
            error: None,
        };
        // Not by a thread that receives ahead: events go on coming, and have this one's time between datagrams.
        reading::entries_beside(&mut asking, &plan, &mut syncing).await?;
        let (entries, error) = (syncing.entries, syncing.error);
        error.map_or(Ok(()), Err)?;
        self.shown.borrow_mut().synced(entries, &self.netns)?;
        Ok(())
    }
}

/// Takes the events of a datagram.
struct Taking<'a> {
    filter: &'a Filter,
    shown: &'a RefCell<Shown>,
    netns: &'a Netns,
    programs: Option<&'a mut RecentPrograms>,
    now: Duration,
    error: Option<io::Error>,
}

impl Taking<'_> {
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

/// Takes the entries of the table after a loss.
struct Syncing<'a> {
    filter: &'a Filter,
    shown: &'a RefCell<Shown>,
    netns: &'a Netns,
    now: Duration,
    entries: u64,
    error: Option<io::Error>,
}

impl dump::Sink for Syncing<'_> {
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
        // Shown twice is no harm: the later line tells what holds.
        self.entries = 0;
        true
    }
}
