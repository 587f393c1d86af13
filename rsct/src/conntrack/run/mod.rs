//! Carries out what a command line means.

mod event;
mod expect;
mod list;
mod load;
mod single;
mod sweep;

use tokio::runtime::{Builder, Runtime};

use super::{
    command::Command,
    errno, help,
    labels::Names,
    parse::Order,
    print::{Look, Output},
    problem::Problem,
    values::output,
};
use crate::{
    clib::errno::sentence,
    message,
    netlink::{self, Socket},
};

pub(super) use load::{load_file, order_of};

/// What a run has open and has counted.
pub(super) struct Session {
    /// What the program was called by.
    program: Vec<u8>,
    /// The names of labels.
    pub(super) names: Names,
    /// Standard output.
    pub(super) out: Output,
    /// Entries that were gone over.
    pub(super) counter: u64,
    sockets: Sockets,
    runtime: Option<Runtime>,
}

/// The sockets that a run has open.
#[derive(Debug, Default)]
struct Sockets {
    first: Option<Socket>,
    second: Option<Socket>,
}

impl Session {
    /// Nothing is open yet.
    pub(super) fn new(program: Vec<u8>) -> Self {
        Self {
            program,
            names: Names::default(),
            out: Output::default(),
            counter: 0,
            sockets: Sockets::default(),
            runtime: None,
        }
    }

    /// Runs what waits for the kernel.
    fn wait<T>(&mut self, run: impl AsyncFnOnce(&mut Self) -> Result<T, Problem>) -> Result<T, Problem> {
        let runtime = match self.runtime.take() {
            Some(runtime) => runtime,
            None => Builder::new_current_thread()
                .enable_io()
                .build()
                .map_err(|error| Problem::other(format!("Can't start: {error}")))?,
        };
        let done = runtime.block_on(run(self));
        self.runtime = Some(runtime);
        done
    }
}

impl Sockets {
    /// The socket for requests.
    fn one(&mut self) -> Result<&mut Socket, Problem> {
        open(&mut self.first)
    }

    /// The same, and another to talk over while the first one's answers are read.
    fn both(&mut self) -> Result<(&mut Socket, &mut Socket), Problem> {
        Ok((open(&mut self.first)?, open(&mut self.second)?))
    }
}

/// The socket in a place, opened if it isn't.
fn open(place: &mut Option<Socket>) -> Result<&mut Socket, Problem> {
    if place.is_none() {
        let socket = Socket::open().map_err(|error| {
            let said = error.errno().map_or_else(|| no_netfilter(&error), sentence);
            message::write(format!("mnl_socket_open: {said}\n"));
            Problem::other("Can't open handler")
        })?;
        *place = Some(socket);
    }
    place.as_mut().ok_or_else(|| Problem::other("Can't open handler"))
}

/// The kernel's number for a protocol it doesn't have is not kept with that error.
fn no_netfilter(error: &netlink::Error) -> String {
    match error {
        netlink::Error::NoNetfilter => sentence(libc::EPROTONOSUPPORT),
        error => error.to_string(),
    }
}

/// What is said when the kernel refuses a command.
fn refused(error: &netlink::Error, command: Command) -> Problem {
    let said = match (error, error.errno()) {
        (_, Some(number)) => errno::of_command(number, command),
        (netlink::Error::Interrupted { .. }, None) => sentence(libc::EINTR),
        (error, None) => error.to_string(),
    };
    Problem::other(format!("Operation failed: {said}"))
}

/// How entries look that are listed or found.
fn look<'a>(names: &'a Names, order: &Order) -> Look<'a> {
    Look {
        output: order.output,
        labels: names.map(),
        event: None,
        moment: None,
    }
}

/// Carries it out. What it printed may wait in [`Session::out`].
pub(super) fn execute(session: &mut Session, order: &Order) -> Result<(), Problem> {
    if order.output & output::SAVE != 0 {
        session.names.read_quietly();
    }
    match order.command() {
        Command::List => session.wait(async |session| list::list(session, order).await),
        Command::Create | Command::Add => session.wait(async |session| single::create(session, order).await),
        Command::Get => session.wait(async |session| single::get(session, order).await),
        Command::Flush => session.wait(async |session| single::flush(session, order).await),
        Command::Count => session.wait(async |session| single::count(session).await),
        Command::Stats => session.wait(async |session| single::stats(session).await),
        Command::Delete => session.wait(async |session| sweep::delete(session, order).await),
        Command::Update => session.wait(async |session| sweep::update(session, order).await),
        Command::Event => session.wait(async |session| event::watch(session, order).await),
        Command::ExpectList => session.wait(async |session| expect::list(session, order).await),
        Command::ExpectCount => session.wait(async |session| expect::count(session, order).await),
        Command::ExpectCreate => session.wait(async |session| expect::create(session, order).await),
        Command::ExpectDelete => session.wait(async |session| expect::delete(session, order).await),
        Command::ExpectGet => session.wait(async |session| expect::get(session, order).await),
        Command::ExpectFlush => session.wait(async |session| expect::flush(session).await),
        Command::ExpectEvent => session.wait(async |session| expect::watch(session, order).await),
        Command::ExpectStats => session.wait(async |session| expect::stats(session).await),
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
