//! Execution of a parsed command line.

mod event;
mod expect;
mod list;
mod load;
mod single;
mod sweep;

use super::{
    command::Command,
    errno, help,
    labels::LabelNames,
    parse::Order,
    print::{EntryFormat, OutputBuffer},
    problem::Problem,
    values::output,
};
use crate::{
    clib::errno::sentence,
    message,
    netlink::{self, Socket},
    waiting::block_on,
};

pub(super) use load::{load_file, order_of};

/// Open sockets, output and counters of a run.
pub(super) struct ConntrackSession {
    /// The name that the program was called by.
    program: Vec<u8>,
    /// The names of labels.
    pub(super) names: LabelNames,
    /// Standard output.
    pub(super) out: OutputBuffer,
    /// Number of entries processed.
    pub(super) counter: u64,
    sockets: Sockets,
}

/// The sockets of a run.
#[derive(Debug, Default)]
struct Sockets {
    first: Option<Socket>,
    second: Option<Socket>,
}

impl ConntrackSession {
    /// A run with nothing open.
    pub(super) fn new(program: Vec<u8>) -> Self {
        Self {
            program,
            names: LabelNames::default(),
            out: OutputBuffer::default(),
            counter: 0,
            sockets: Sockets::default(),
        }
    }
}

impl Sockets {
    /// The socket for requests.
    fn one(&mut self) -> Result<&mut Socket, Problem> {
        open(&mut self.first)
    }

    /// That socket, and a second one for requests while the answers on the first are being read.
    fn both(&mut self) -> Result<(&mut Socket, &mut Socket), Problem> {
        Ok((open(&mut self.first)?, open(&mut self.second)?))
    }
}

/// The socket in a slot, opened if absent.
fn open(slot: &mut Option<Socket>) -> Result<&mut Socket, Problem> {
    if slot.is_none() {
        let socket = Socket::open().map_err(|error| {
            let text = error.errno().map_or_else(|| no_netfilter(&error), sentence);
            message::write(format!("mnl_socket_open: {text}\n"));
            Problem::other("Can't open handler")
        })?;
        *slot = Some(socket);
    }
    slot.as_mut().ok_or_else(|| Problem::other("Can't open handler"))
}

/// The error does not keep the kernel's number for a missing protocol.
fn no_netfilter(error: &netlink::Error) -> String {
    match error {
        netlink::Error::NoNetfilter => sentence(libc::EPROTONOSUPPORT),
        error => error.to_string(),
    }
}

/// The error message after the kernel refuses a command.
fn refused(error: &netlink::Error, command: Command) -> Problem {
    let text = match (error, error.errno()) {
        (_, Some(number)) => errno::of_command(number, command),
        (netlink::Error::Interrupted { .. }, None) => sentence(libc::EINTR),
        (error, None) => error.to_string(),
    };
    Problem::other(format!("Operation failed: {text}"))
}

/// Format of listed or found entries.
fn entry_format<'a>(names: &'a LabelNames, order: &Order) -> EntryFormat<'a> {
    EntryFormat {
        output: order.output,
        labels: names.map(),
        event: None,
        moment: None,
    }
}

/// Executes the command. Printed bytes may remain in [`ConntrackSession::out`].
pub(super) fn execute(session: &mut ConntrackSession, order: &Order) -> Result<(), Problem> {
    if order.output & output::SAVE != 0 {
        session.names.read_quietly();
    }
    match order.command() {
        Command::List => block_on(list::list(session, order)),
        Command::Create | Command::Add => block_on(single::create(session, order)),
        Command::Get => block_on(single::get(session, order)),
        Command::Flush => block_on(single::flush(session, order)),
        Command::Count => block_on(single::count(session)),
        Command::Stats => block_on(single::stats(session)),
        Command::Delete => block_on(sweep::delete(session, order)),
        Command::Update => block_on(sweep::update(session, order)),
        Command::Event => block_on(event::watch(session, order)),
        Command::ExpectList => block_on(expect::list(session, order)),
        Command::ExpectCount => block_on(expect::count(session, order)),
        Command::ExpectCreate => block_on(expect::create(session, order)),
        Command::ExpectDelete => block_on(expect::delete(session, order)),
        Command::ExpectGet => block_on(expect::get(session, order)),
        Command::ExpectFlush => block_on(expect::flush(session)),
        Command::ExpectEvent => block_on(expect::watch(session, order)),
        Command::ExpectStats => block_on(expect::stats(session)),
        Command::Version => {
            let line = format!("conntrack v{} (conntrack-tools)\n", super::VERSION);
            session.out.bytes.extend_from_slice(line.as_bytes());
            Ok(())
        }
        Command::Help | Command::None => {
            let protocol = order.protocol.filter(|_| order.command() == Command::Help);
            // Writing to a Vec can't fail.
            let _ = help::write(&mut session.out.bytes, &session.program, protocol);
            Ok(())
        }
    }
}
