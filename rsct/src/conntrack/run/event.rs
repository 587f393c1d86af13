//! `-E`: prints events until a signal arrives.

use std::ops::ControlFlow;

use super::{ConntrackSession, entry_format, no_netfilter};
use crate::{
    clib::errno,
    conntrack::{
        matching::EntryMatcher,
        options::CtOption,
        parse::Order,
        print::{EntryFormat, now},
        problem::Problem,
        values::{event, output},
    },
    kernel::{
        interrupt::{self, Watch},
        portid::Programs,
    },
    message,
    netlink::{
        self, Error, Socket,
        event::{Group, Kind},
    },
    render::{
        event_line::{self, Event, Requester},
        xml,
    },
};

/// The warning about lost events.
const LOSS: &[u8] = b"WARNING: We have hit ENOBUFS! We are losing events.\n\
    This message means that the current netlink socket buffer size is too small.\n\
    Please, check --buffer-size in conntrack(8) manpage.\n";

/// After this call the signals that end the command regularly no longer kill the process.
pub(super) fn catch_the_end() -> Result<Watch, Problem> {
    interrupt::watch_as_a_loop().map_err(|error| Problem::other(format!("Can't wait for signals: {error}")))
}

/// Opens a socket that joins these groups.
pub(super) fn listen(groups: impl IntoIterator<Item = Group>) -> Result<Socket, Problem> {
    let opened = Socket::open().map_err(|error| ("mnl_socket_open", error));
    let listening = opened.and_then(|socket| {
        for group in groups {
            socket
                .subscribe(group)
                .map_err(|error| ("mnl_socket_bind", error))?;
        }
        Ok(socket)
    });
    listening.map_err(|(what, error)| {
        let text = error
            .errno()
            .map_or_else(|| no_netfilter(&error), errno::sentence);
        message::write(format!("{what}: {text}\n"));
        Problem::other("Can't open netlink socket")
    })
}

/// Reports lost events, ends at a signal, and fails on another error.
pub(super) fn loss(error: &Error) -> Result<ControlFlow<()>, Problem> {
    match error {
        Error::Overrun { .. } => {
            message::write(LOSS);
            return Ok(ControlFlow::Continue(()));
        }
        Error::Signal { .. } => return Ok(ControlFlow::Break(())),
        _ => {}
    }
    let text = error.errno().map_or_else(|| error.to_string(), errno::sentence);
    Err(Problem::other(format!(
        "failed to received netlink event: {text}"
    )))
}

/// Prints the matching events.
pub(super) async fn watch(session: &mut ConntrackSession, order: &Order) -> Result<(), Problem> {
    let events = if order.given.has(CtOption::EventMask) {
        order.events
    } else {
        event::ALL
    };
    let groups = [
        (event::NEW, Group::New),
        (event::UPDATES, Group::Update),
        (event::DESTROY, Group::Destroy),
    ];
    let heard = groups
        .into_iter()
        .filter(|(bit, _)| events & bit != 0)
        .map(|(_, group)| group);
    let mut socket = listen(heard)?;
    if order.given.has(CtOption::BufferSize) {
        size_buffer(&socket, order.buffer_size)?;
    }
    let wanted = EntryMatcher::new(order)?;
    let _watch = catch_the_end()?;
    let mut programs = Programs::default();
    let is_xml = order.output & output::XML != 0;
    let timed = order.output & output::TIMESTAMP != 0;
    loop {
        let now = now();
        // Received events are printed before the end: the signal is checked only when the socket is empty.
        let received = netlink::event::next(&mut socket, |event| {
            let entry = event.entry;
            let is_family = order
                .family
                .is_none_or(|family| entry.orig.family() == family as u16);
            if !is_family || !wanted.matches(entry) {
                return ControlFlow::Continue(());
            }
            let out = &mut session.out;
            if is_xml {
                out.open_xml(xml::HEADER, xml::FOOTER);
            }
            let entry_format = EntryFormat {
                event: Some(match event.kind {
                    Kind::New => Event::New,
                    Kind::Update => Event::Update,
                    Kind::Destroy => Event::Destroy,
                }),
                moment: timed.then(crate::conntrack::print::now),
                ..entry_format(&session.names, order)
            };
            entry_format.entry(&mut out.bytes, entry, now);
            if event.port != 0 && !is_xml {
                let requester = Requester {
                    portid: event.port,
                    progname: programs.name(event.port),
                };
                event_line::userspace(&mut out.bytes, requester, true);
            }
            session.counter += 1;
            ControlFlow::Continue(())
        })
        .await;
        session.out.flush()?;
        if let Err(error) = received
            && loss(&error)?.is_break()
        {
            break;
        }
    }
    session.out.close_xml();
    session.out.flush()
}

/// Sizes the receive buffer and prints the result; the kernel reports twice the requested size.
fn size_buffer(socket: &Socket, wanted: i64) -> Result<(), Problem> {
    let set = socket
        .set_receive_buffer(usize::try_from(wanted as i32).unwrap_or(0))
        .map_err(|error| {
            let text = error.errno().map_or_else(|| error.to_string(), errno::sentence);
            Problem::other(format!("Can't set the netlink socket buffer size: {text}"))
        })?;
    let text = format!(
        "NOTICE: Netlink socket buffer size has been set to {} bytes.\n",
        2 * set
    );
    message::write(text.as_bytes());
    Ok(())
}
