//! `rsct list`: the entries that there are, by the kernel's own word.

use std::{
    io::{self, Write as _},
    ops::ControlFlow,
    process::ExitCode,
    time::Duration,
};

use anyhow::Context as _;
use clap::{Args, ValueEnum};

use super::{
    FilterArgs,
    filter_args::meets,
    is_broken_pipe,
    namespaces::{Namespaces, NetnsArg, event_loop},
};
use crate::{
    filter::Filter,
    kernel::netns::Netns,
    labels::LabelMap,
    netlink::{Socket, conntrack::Entry, dump},
    render::entry::{self, About, Format, View},
};

/// Show the entries of the conntrack table, in the form of `conntrack -L` or as JSON.
#[derive(Debug, Args)]
pub struct ListArgs {
    #[command(flatten)]
    filter: FilterArgs,
    /// How entries look.
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
    #[command(flatten)]
    netns: NetnsArg,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Output {
    /// The line of `conntrack -L`.
    #[default]
    Text,
    /// The line of `conntrack -L -o extended`, which begins with the address family.
    Extended,
    /// Aligned columns, and all that the kernel says about an entry.
    Wide,
    /// A JSON object a line.
    Json,
    /// The XML of `conntrack -L -o xml`.
    Xml,
    /// The options of `conntrack -L -o save`, which make the entries again.
    Save,
}

impl Output {
    /// What it means: labels have names in all forms but conntrack's own line, and namespaces a column.
    pub(super) fn view(self, labels: &LabelMap, netns: Option<usize>) -> View<'_> {
        let format = match self {
            Self::Text | Self::Extended => Format::Text,
            Self::Wide => Format::Wide,
            Self::Json => Format::Json,
            Self::Xml => Format::Xml,
            Self::Save => Format::Save,
        };
        View {
            format,
            extended: self == Self::Extended,
            labels: (format != Format::Text && !labels.is_empty()).then_some(labels),
            netns,
            ..View::default()
        }
    }
}

/// Runs `rsct list`.
pub fn run(args: &ListArgs) -> anyhow::Result<ExitCode> {
    let filter = args.filter.filter()?;
    let namespaces = Namespaces::open(&args.netns)?;
    let labels = LabelMap::load_default();
    let mut list = List {
        filter,
        view: args.output.view(&labels, namespaces.column()),
        named: namespaces.are_named(),
        now: entry::now(),
        shown: 0,
        buffer: Vec::with_capacity(FLUSH_BYTES + FLUSH_BYTES / 4),
        begun_at: 0,
        shown_before: 0,
        written: false,
        error: None,
    };
    list.view.begin(&mut list.buffer);
    let visit = namespaces.visit(async |netns, socket| list.one(netns, socket).await);
    let all_went_well = event_loop()?.block_on(visit)?;
    list.view.end(&mut list.buffer);
    list.flush();
    match list.error {
        Some(error) if is_broken_pipe(&error) => return Ok(ExitCode::SUCCESS),
        Some(error) => return Err(error).context("writing entries to standard output"),
        None => {}
    }
    namespaces.tell_of_hidden();
    eprintln!("rsct: {} flow entries have been shown.", list.shown);
    Ok(if all_went_well {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// How much is collected before it is written.
const FLUSH_BYTES: usize = 128 * 1024;
/// How much is held back at the start of a namespace, in case the kernel says that the dump was
/// incomplete and it has to be taken again.
const HOLD_BYTES: usize = 2 * 1024 * 1024;

/// Writes the entries that are meant.
struct List<'a> {
    filter: Filter,
    view: View<'a>,
    named: bool,
    now: Duration,
    shown: u64,
    buffer: Vec<u8>,
    /// Where in the buffer, and after how many entries, this namespace's begin.
    begun_at: usize,
    shown_before: u64,
    /// Some of this namespace's entries are out already.
    written: bool,
    error: Option<io::Error>,
}

impl List<'_> {
    async fn one(&mut self, netns: &Netns, socket: &mut Socket) -> anyhow::Result<()> {
        // Nobody reads any more, or nothing can be written.
        if self.error.is_some() {
            return Ok(());
        }
        self.view.begin_netns(&mut self.buffer, netns);
        self.begun_at = self.buffer.len();
        self.shown_before = self.shown;
        self.written = false;
        let family = self.filter.family;
        let dumped = dump::entries_ahead(
            socket,
            &dump::Query::of_family(family),
            &mut InNamespace { list: self, netns },
        )
        .await;
        if dumped.is_err() {
            self.forget();
        }
        dumped?;
        Ok(())
    }

    fn entry(&mut self, entry: &Entry<'_>, netns: &Netns) {
        if !meets(&self.filter, entry) {
            return;
        }
        self.shown += 1;
        let about = About {
            now: self.now,
            netns: self.named.then_some(netns),
            ..About::default()
        };
        self.view.entry(&mut self.buffer, entry, &about);
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

struct InNamespace<'a, 'b> {
    list: &'a mut List<'b>,
    netns: &'a Netns,
}

impl dump::Sink for InNamespace<'_, '_> {
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
