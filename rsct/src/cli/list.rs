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
    FilterArgs, UsageError, is_broken_pipe,
    namespaces::{Namespaces, NetnsArg},
    probing::{AttachArg, why_not},
    reading::{self, ExplainArg},
};
use crate::{
    filter::{Filter, Plan},
    kernel::netns::Netns,
    labels::LabelMap,
    netlink::{Socket, conntrack::Entry, dump},
    plural,
    provenance::{Listing, ListingError},
    render::entry::{self, About, Format, View},
    schema::Command,
    waiting,
};

/// Show the entries of the conntrack table, in the forms of `conntrack -L`, in aligned columns or as JSON.
#[derive(Debug, Args)]
pub struct ListArgs {
    #[command(flatten)]
    filter: FilterArgs,
    #[command(flatten)]
    explain: ExplainArg,
    /// The table: the one that packets are looked up in, entries on their way out whose event could not be delivered
    /// yet, or entries whose first packet is still under way (before Linux 5.19).
    #[arg(short, long, value_enum, default_value_t)]
    table: TableArg,
    /// Set the counters of the entries to zero as they are read. Of a filter, only --family goes with it: the kernel
    /// zeroes what it reads.
    #[arg(short, long)]
    zero: bool,
    /// How entries look.
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
    /// Say where each entry's timeout comes from: a policy, a default, what shortened it, or that it was set by hand.
    /// Attaches a probe for as long as the table is read; with -o wide and json.
    #[arg(long)]
    timeout_source: bool,
    /// How to attach the probe.
    #[arg(long, value_enum, default_value_t, requires = "timeout_source")]
    attach: AttachArg,
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

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum TableArg {
    /// Entries that packets are looked up in.
    #[default]
    Conntrack,
    /// Entries on their way out.
    Dying,
    /// Entries that are not in the table yet.
    Unconfirmed,
}

impl Output {
    /// What it means: labels have names in all forms but conntrack's own line, and namespaces a column.
    pub(super) fn view(self, command: Option<Command>, labels: &LabelMap, netns: Option<usize>) -> View<'_> {
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
            command,
            ..View::default()
        }
    }
}

/// Runs `rsct list`.
pub fn run(args: &ListArgs) -> anyhow::Result<ExitCode> {
    let filter = args.filter.filter()?;
    let table = args.table(&filter)?;
    let plan = reading::plan_for(&filter, table);
    args.explain.tell(&plan);
    let namespaces = Namespaces::open(&args.netns)?;
    let listing = args.listing()?;
    let labels = LabelMap::load_default();
    let mut list = List {
        filter,
        plan,
        table,
        view: args
            .output
            .view(Some(Command::List), &labels, namespaces.column()),
        named: namespaces.are_named(),
        listing,
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
    let all_went_well = waiting::block_on(visit)?;
    list.view.end(&mut list.buffer);
    list.flush();
    match list.error {
        Some(error) if is_broken_pipe(&error) => return Ok(ExitCode::SUCCESS),
        Some(error) => return Err(error).context("writing entries to standard output"),
        None => {}
    }
    namespaces.tell_of_hidden();
    if let Some(lost) = list.listing.as_ref().map(Listing::lost)
        && lost != 0
    {
        message!(
            "{} LOST: as many timeouts may be another's than is said",
            plural::count(lost, "record was", "records were")
        );
    }
    message!(
        "{} been shown.",
        plural::count(list.shown, "flow entry has", "flow entries have")
    );
    Ok(if all_went_well {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

impl ListArgs {
    /// The probe, where it is asked for.
    fn listing(&self) -> anyhow::Result<Option<Listing>> {
        if !self.timeout_source {
            return Ok(None);
        }
        if !matches!(self.output, Output::Wide | Output::Json) {
            return Err(UsageError(
                "--timeout-source: conntrack's own forms have no place for it; give -o wide or -o json"
                    .to_owned(),
            )
            .into());
        }
        match Listing::start(self.attach.form()) {
            Ok(listing) => Ok(Some(listing)),
            Err(ListingError::Session(error)) => Err(why_not(error)),
            Err(error) => Err(error.into()),
        }
        .context("--timeout-source")
    }

    /// Which of the kernel's tables is meant.
    fn table(&self, filter: &Filter) -> Result<dump::Table, UsageError> {
        let only_family = Filter {
            family: filter.family,
            ..Filter::default()
        };
        match (self.table, self.zero) {
            (TableArg::Conntrack, false) => Ok(dump::Table::Conntrack),
            (TableArg::Conntrack, true) if *filter == only_family => Ok(dump::Table::ConntrackZeroingCounters),
            (TableArg::Conntrack, true) => Err(UsageError(
                "--zero: the kernel zeroes the counters of all that it reads, so of a filter only --family goes with it"
                    .to_owned(),
            )),
            (TableArg::Dying, false) => Ok(dump::Table::Dying),
            (TableArg::Unconfirmed, false) => Ok(dump::Table::Unconfirmed),
            (_, true) => Err(UsageError(
                "--zero: only counters of the conntrack table can be zeroed".to_owned(),
            )),
        }
    }
}

/// How much is collected before it is written.
const FLUSH_BYTES: usize = 128 * 1024;
/// How much is held back at the start of a namespace, in case the kernel says that the dump was
/// incomplete and it has to be taken again.
const HOLD_BYTES: usize = 2 * 1024 * 1024;

/// Writes the entries that are meant.
struct List<'a> {
    filter: Filter,
    plan: Plan,
    table: dump::Table,
    view: View<'a>,
    named: bool,
    listing: Option<Listing>,
    now: Duration,
    shown: u64,
    buffer: Vec<u8>,
    /// Where in the buffer, and after how many entries, this dump's begin.
    begun_at: usize,
    shown_before: u64,
    /// Some of this dump's entries are out already.
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
        let (plan, table) = (self.plan.clone(), self.table);
        let dumped = reading::entries(socket, table, &plan, &mut InNamespace { list: self, netns }).await;
        if dumped.is_err() {
            self.forget();
        }
        dumped?;
        Ok(())
    }

    fn entry(&mut self, entry: &Entry<'_>, netns: &Netns) {
        if !self.filter.meets(entry) {
            return;
        }
        self.shown += 1;
        let source = match &mut self.listing {
            Some(listing) => listing.source_of(netns.inode as u32, entry),
            None => None,
        };
        let about = About {
            now: self.now,
            netns: self.named.then_some(netns),
            timeout_source: source.as_ref(),
            ..About::default()
        };
        self.view.entry(&mut self.buffer, entry, &about);
    }

    /// Takes back what this dump has brought, if nothing of it is out yet.
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
    fn begin(&mut self) {
        self.list.begun_at = self.list.buffer.len();
        self.list.shown_before = self.list.shown;
        self.list.written = false;
    }

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
