//! `rsct list`: the entries of the kernel's table.

use std::{
    io::{self, Write as _},
    ops::ControlFlow,
    process::ExitCode,
    time::Duration,
};

use anyhow::Context as _;
use clap::{Args, ValueEnum};

use super::{
    FilterArgs, UsageError,
    each_host::each_host,
    is_broken_pipe,
    list_at::RecordedTableArgs,
    namespaces::{Namespaces, NetnsArg},
    reading::{self, ExplainArg},
    shared_args::{AttachArg, FormatArg},
    watching::{listing_error, report_lost_records},
};
use crate::{
    filter::{Filter, Plan},
    kernel::netns::Netns,
    labels::LabelMap,
    netlink::{Socket, conntrack::Entry, dump},
    plural,
    provenance::Listing,
    render::entry::{self, About, Format, View},
    schema::Command,
    waiting,
};

/// List conntrack entries
///
/// Formats are those of `conntrack -L`, aligned columns (-o wide) and JSON.
#[derive(Debug, Args)]
#[command(
    mut_arg("attach", |arg| arg.requires("timeout_source")),
    after_long_help = "\
Examples:
  rsct list -p tcp --state ESTABLISHED --dport 443
  rsct list --netns all -o json
  rsct list -p udp -o wide --timeout-source"
)]
pub struct ListArgs {
    #[command(flatten)]
    filter: FilterArgs,
    #[command(flatten)]
    explain: ExplainArg,
    /// Kernel table to read
    #[arg(short, long, value_enum, default_value_t)]
    table: TableArg,
    /// Reset the counters of the listed entries to zero
    ///
    /// The only filter allowed with this option is --family: the kernel resets every entry that it reads.
    #[arg(short, long)]
    zero: bool,
    #[command(flatten)]
    output: FormatArg<EntryFormat>,
    /// Print what set each entry's timeout; needs -o wide or -o json
    ///
    /// The source is a policy, a default, a reduction by the kernel, or a request from user space. rsct attaches an eBPF
    /// program while it reads the table.
    #[arg(long)]
    timeout_source: bool,
    #[command(flatten)]
    recorded: RecordedTableArgs,
    #[command(flatten)]
    attach: AttachArg,
    #[command(flatten)]
    netns: NetnsArg,
}

/// Formats of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum EntryFormat {
    /// Lines of `conntrack -L`
    Text,
    /// Lines of `conntrack -L -o extended`, which begin with the address family
    Extended,
    /// Aligned columns with all fields of an entry
    Wide,
    /// One JSON object per line
    Json,
    /// XML of `conntrack -L -o xml`
    Xml,
    /// Lines of `conntrack -L -o save`, for `rsct load`
    Save,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum TableArg {
    /// Confirmed entries
    #[default]
    Conntrack,
    /// Deleted entries whose event could not be delivered yet
    Dying,
    /// Entries whose first packet is still being processed (before Linux 5.19)
    Unconfirmed,
}

impl EntryFormat {
    /// The view of entries in this format. Label names replace numbers in all formats but conntrack's own lines;
    /// `netns` is the width of the namespace column.
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
    if args.recorded.is_given() {
        return args.recorded(&filter);
    }
    let plan = reading::plan_for(&filter, table);
    args.explain.report(&plan);
    let namespaces = Namespaces::open(&args.netns)?;
    let listing = args.listing()?;
    let labels = LabelMap::load_default();
    let mut list = List {
        filter,
        plan,
        table,
        view: args
            .output
            .format
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
    namespaces.report_hidden();
    if let Some(listing) = &list.listing {
        report_lost_records(listing);
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
    /// Lists the table of a recording.
    fn recorded(&self, filter: &Filter) -> anyhow::Result<ExitCode> {
        let cannot = [
            (self.zero, "zero"),
            (self.timeout_source, "timeout-source"),
            (self.table != TableArg::Conntrack, "table"),
        ];
        if let Some((_, option)) = cannot.iter().find(|(is_given, _)| *is_given) {
            return Err(UsageError(format!(
                "--{option}: only the running kernel can answer it; omit the option, or --input"
            ))
            .into());
        }
        let labels = LabelMap::load_default();
        let format = self.output.format;
        let view = format.view(Some(Command::List), &labels, None);
        let input = self.recorded.input();
        let is_of_one = matches!(format, EntryFormat::Xml | EntryFormat::Save);
        if is_of_one && input.by_boot()?.len() > 1 {
            return Err(UsageError(
                "-o xml and -o save: such a list has the entries of one host; give the files of one host, or -o json".to_owned(),
            )
            .into());
        }
        each_host(&input, format == EntryFormat::Json, |input, output| {
            self.recorded
                .list(input, filter, self.netns.name(), &view, output)
        })
    }

    /// Attaches the program that reads the source of timeouts, with `--timeout-source`.
    fn listing(&self) -> anyhow::Result<Option<Listing>> {
        if !self.timeout_source {
            return Ok(None);
        }
        if !matches!(self.output.format, EntryFormat::Wide | EntryFormat::Json) {
            return Err(UsageError(
                "--timeout-source: conntrack's own formats have no field for it; give -o wide or -o json"
                    .to_owned(),
            )
            .into());
        }
        let listing = Listing::start(self.attach.form()).map_err(listing_error);
        listing.map(Some).context("--timeout-source")
    }

    /// The kernel's table, and whether its counters are reset.
    fn table(&self, filter: &Filter) -> Result<dump::Table, UsageError> {
        let only_family = Filter {
            family: filter.family,
            ..Filter::default()
        };
        match (self.table, self.zero) {
            (TableArg::Conntrack, false) => Ok(dump::Table::Conntrack),
            (TableArg::Conntrack, true) if *filter == only_family => Ok(dump::Table::ConntrackZeroingCounters),
            (TableArg::Conntrack, true) => Err(UsageError(
                "--zero: the kernel resets the counters of every entry that it reads, so the only filter allowed is --family"
                    .to_owned(),
            )),
            (TableArg::Dying, false) => Ok(dump::Table::Dying),
            (TableArg::Unconfirmed, false) => Ok(dump::Table::Unconfirmed),
            (_, true) => Err(UsageError(
                "--zero: only counters of the conntrack table can be reset".to_owned(),
            )),
        }
    }
}

/// Size of the buffer at which it is written.
const FLUSH_BYTES: usize = 128 * 1024;
/// Bytes held back at the start of a dump, which the kernel may report as incomplete, so that it is repeated.
const HOLD_BYTES: usize = 2 * 1024 * 1024;

/// Writes the entries that match.
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
    /// Length of the buffer when this dump began.
    begun_at: usize,
    /// Number of entries when this dump began.
    shown_before: u64,
    /// Some of this dump's entries have been written.
    written: bool,
    error: Option<io::Error>,
}

impl List<'_> {
    async fn one(&mut self, netns: &Netns, socket: &mut Socket) -> anyhow::Result<()> {
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

    /// Removes this dump's entries from the buffer, unless some have been written.
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
