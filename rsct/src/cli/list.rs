//! `rsct list`: the entries that there are, by the kernel's own word.

use std::{
    io::{self, Write as _},
    ops::ControlFlow,
    os::fd::AsFd as _,
    process::ExitCode,
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::Context as _;
use clap::{Args, ValueEnum};

use super::{FilterArgs, is_broken_pipe, sentence};
use crate::{
    filter::Filter,
    kernel::netns::{self, Netns, Selector},
    netlink::{Error, Socket, conntrack::Entry, dump},
    render::{
        conntrack_line::{self, Shape},
        json,
    },
};

/// Show the entries of the conntrack table, in the form of `conntrack -L` or as JSON.
#[derive(Debug, Args)]
pub struct ListArgs {
    #[command(flatten)]
    filter: FilterArgs,
    /// How entries look.
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
    /// Network namespace: a name under /run/netns, a process id, an inode number, or `all`. The current
    /// one unless given.
    #[arg(long, value_name = "NAME|PID|INODE|all")]
    netns: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Output {
    /// The line of `conntrack -L`.
    #[default]
    Text,
    /// The line of `conntrack -L -o extended`, which begins with the address family.
    Extended,
    /// A JSON object a line.
    Json,
}

/// Runs `rsct list`.
pub fn run(args: &ListArgs) -> anyhow::Result<ExitCode> {
    let filter = args.filter.filter()?;
    let selector = Selector::from_option(args.netns.as_deref());
    let found = netns::open(&selector)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()
        .context("starting the event loop")?;
    let all = selector == Selector::All;
    let mut list = List {
        filter,
        output: args.output,
        // The column holds the longest name.
        columns: all.then(|| {
            found
                .namespaces
                .iter()
                .map(|netns| netns.name.len())
                .max()
                .unwrap_or(0)
        }),
        named: args.netns.is_some(),
        now_s: SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |now| now.as_secs()),
        shown: 0,
        buffer: Vec::with_capacity(FLUSH_BYTES + FLUSH_BYTES / 4),
        begun_at: 0,
        shown_before: 0,
        written: false,
        error: None,
    };
    let mut failed = false;
    for netns in &found.namespaces {
        let socket = match selector {
            // The current namespace needs no rights to be entered.
            Selector::Current => None,
            _ => Some(netns),
        };
        match runtime.block_on(list.one(netns, socket)) {
            Ok(()) => {}
            // A namespace may be gone by now, and the others can be read; who may not read one may read
            // none of them.
            Err(error) if all && !is_not_permitted(&error) => {
                failed = true;
                list.forget();
                eprintln!("rsct: in network namespace {}: {}", netns.name, sentence(&error));
            }
            Err(error) => return Err(error),
        }
        if list.error.is_some() {
            break;
        }
    }
    list.flush();
    match list.error {
        Some(error) if is_broken_pipe(&error) => return Ok(ExitCode::SUCCESS),
        Some(error) => return Err(error).context("writing entries to standard output"),
        None => {}
    }
    if found.hidden_processes > 0 {
        let (count, verb) = match found.hidden_processes {
            1 => ("1 process".to_owned(), "it is"),
            n => (format!("{n} processes"), "they are"),
        };
        eprintln!(
            "rsct: {count} may not be looked at, and namespaces that only {verb} in are missing; run as root with \
             the capability CAP_SYS_PTRACE"
        );
    }
    eprintln!("rsct: {} flow entries have been shown.", list.shown);
    Ok(if failed {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

fn is_not_permitted(error: &anyhow::Error) -> bool {
    error.downcast_ref::<Error>().is_some_and(Error::is_not_permitted)
}

/// How much is collected before it is written.
const FLUSH_BYTES: usize = 128 * 1024;
/// How much is held back at the start of a namespace, in case the kernel says that the dump was
/// incomplete and it has to be taken again.
const HOLD_BYTES: usize = 2 * 1024 * 1024;

/// Writes the entries that are meant.
struct List {
    filter: Filter,
    output: Output,
    columns: Option<usize>,
    named: bool,
    now_s: u64,
    shown: u64,
    buffer: Vec<u8>,
    /// Where in the buffer, and after how many entries, this namespace's begin.
    begun_at: usize,
    shown_before: u64,
    /// Some of this namespace's entries are out already.
    written: bool,
    error: Option<io::Error>,
}

impl List {
    async fn one(&mut self, netns: &Netns, enter: Option<&Netns>) -> anyhow::Result<()> {
        self.begun_at = self.buffer.len();
        self.shown_before = self.shown;
        self.written = false;
        let mut socket = match enter {
            Some(netns) => Socket::open_in(netns.as_fd())?,
            None => Socket::open()?,
        };
        let family = self.filter.family;
        dump::entries(&mut socket, family, &mut InNamespace { list: self, netns }).await?;
        Ok(())
    }

    fn entry(&mut self, entry: &Entry<'_>, netns: &Netns) {
        let mark = entry.mark.unwrap_or(0);
        if !self
            .filter
            .matches(&entry.orig, &entry.reply, entry.zone_id(), mark)
        {
            return;
        }
        self.shown += 1;
        let extended = self.output == Output::Extended;
        if self.output == Output::Json {
            json::entry(&mut self.buffer, entry, self.named.then_some(netns));
            return;
        }
        if let Some(columns) = self.columns {
            self.buffer.extend_from_slice(netns.name.as_bytes());
            let width = self.buffer.len() + columns - netns.name.len() + 1;
            self.buffer.resize(width, b' ');
        }
        conntrack_line::line(&mut self.buffer, entry, Shape { extended, id: false }, self.now_s);
    }

    /// Takes back what this namespace has brought, if nothing of it is out yet.
    fn forget(&mut self) -> bool {
        if !self.written {
            self.buffer.truncate(self.begun_at);
            self.shown = self.shown_before;
        }
        !self.written
    }

    fn flush(&mut self) {
        if self.error.is_none() {
            let mut stdout = io::stdout().lock();
            self.error = stdout.write_all(&self.buffer).and_then(|()| stdout.flush()).err();
        }
        self.buffer.clear();
        self.written = true;
    }
}

struct InNamespace<'a> {
    list: &'a mut List,
    netns: &'a Netns,
}

impl dump::Sink for InNamespace<'_> {
    fn entry(&mut self, entry: &Entry<'_>) -> ControlFlow<()> {
        self.list.entry(entry, self.netns);
        let most = if self.list.written {
            FLUSH_BYTES
        } else {
            HOLD_BYTES
        };
        if self.list.buffer.len() >= most {
            self.list.flush();
        }
        if self.list.error.is_some() {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }

    fn restart(&mut self) -> bool {
        self.list.forget()
    }
}
