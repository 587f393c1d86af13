//! `rsct timeout show`: the timeout of every state.

use std::{io, ops::ControlFlow, process::ExitCode};

use clap::Args;

use super::{
    exit_code, print,
    protocol::{self, PROTOCOL_HELP},
};
use crate::{
    cli::{
        namespaces::{Namespaces, NetnsArg},
        reading,
        shared_args::{FormatArg, TextOrJson},
    },
    filter::Filter,
    kernel::netns::Netns,
    netlink::{Error, Socket, conntrack::Entry, dump},
    plural,
    render::{
        color::Palette,
        timeouts::{self as render, Line},
    },
    schema::Command,
    timeouts::{Builtin, Census, GENERIC, PROTOCOLS, Protocol, TimeoutValues, is_reduction},
    waiting,
};

/// Print the timeout, default and number of entries of each state
///
/// A * marks a timeout that differs from the kernel's default, which rsct measures in a new network namespace. Reductions
/// (retrans, unacknowledged) replace the state's timeout if they are shorter; an entry does not show whether it has one.
/// An entry may have another timeout than its state: from a policy, or set by user space.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  rsct timeout show
  rsct timeout show tcp
  rsct timeout show udp --netns all -o json")]
pub(super) struct ShowArgs {
    #[arg(help = PROTOCOL_HELP)]
    proto: Option<String>,
    #[command(flatten)]
    output: FormatArg<TextOrJson>,
    #[command(flatten)]
    netns: NetnsArg,
}

/// Runs `rsct timeout show`.
pub(super) fn run(args: &ShowArgs) -> anyhow::Result<ExitCode> {
    let wanted = args.proto.as_deref().map(protocol::named).transpose()?;
    let namespaces = Namespaces::open(&args.netns)?;
    let mut show = Show {
        output: args.output.format,
        wanted,
        builtin: None,
        palette: Palette::PLAIN,
        out: args.output.begin(Command::TimeoutShow),
    };
    if args.output.format == TextOrJson::Text {
        show.palette = Palette::for_stream(&io::stdout());
        render::header(&mut show.out, namespaces.column());
    }
    let visit = namespaces.visit(async |netns, socket| show.one(&namespaces, netns, socket).await);
    let all_went_well = waiting::block_on(visit)?;
    print(&show.out)?;
    namespaces.report_hidden();
    Ok(exit_code(all_went_well))
}

struct Show {
    output: TextOrJson,
    wanted: Option<&'static Protocol>,
    builtin: Option<Builtin>,
    palette: Palette,
    out: Vec<u8>,
}

impl Show {
    async fn one(
        &mut self,
        namespaces: &Namespaces,
        netns: &Netns,
        socket: &mut Socket,
    ) -> anyhow::Result<()> {
        let mut values = TimeoutValues {
            socket,
            at: namespaces.settings(netns),
        };
        // All are read: protocols without a handler have the generic timeout.
        let mut handled = Vec::new();
        for protocol in PROTOCOLS {
            match values.read(protocol).await? {
                Some(read) => handled.push((protocol, read)),
                None if self.wanted == Some(protocol) => return Err(protocol::missing(protocol)),
                None => {}
            }
        }
        let builtin = match self.builtin.take() {
            Some(builtin) => builtin,
            None => measure(handled.iter().map(|(protocol, _)| *protocol)).await,
        };
        let numbers = handled.iter().map(|(protocol, _)| protocol.number).collect();
        let census = count(socket, self.wanted, Census::new(numbers)).await?;
        let shown = handled
            .iter()
            .filter(|(of, _)| self.wanted.is_none_or(|wanted| wanted == *of));
        for (protocol, values) in shown {
            for state in protocol.states {
                let seconds = values.iter().find(|(attribute, _)| *attribute == state.attribute);
                let line = Line {
                    protocol,
                    state,
                    seconds: seconds.map(|(_, seconds)| *seconds),
                    builtin: builtin.seconds(protocol, state),
                    entries: (!is_reduction(protocol.number, state)).then(|| census.of(protocol, state)),
                };
                match self.output {
                    TextOrJson::Text => {
                        render::text(&mut self.out, &line, netns, namespaces.column(), self.palette);
                    }
                    TextOrJson::Json => {
                        render::json(&mut self.out, &line, namespaces.are_named().then_some(netns));
                    }
                }
            }
        }
        self.builtin = Some(builtin);
        if census.others > 0 {
            message!(
                "{}{} not counted above: this version of rsct does not know the timeout of the state",
                plural::count(census.others, "entry", "entries"),
                namespaces.of(netns)
            );
        }
        Ok(())
    }
}

/// The kernel's own defaults; if they cannot be measured, none and a message.
async fn measure(protocols: impl IntoIterator<Item = &'static Protocol>) -> Builtin {
    match Builtin::measure(protocols).await {
        Ok(builtin) => builtin,
        Err(error) => {
            message!("the kernel's own defaults cannot be measured and are not printed: {error}");
            Builtin::default()
        }
    }
}

/// Counts the entries in each state, of one protocol or of all.
async fn count(socket: &mut Socket, wanted: Option<&Protocol>, census: Census) -> Result<Census, Error> {
    let filter = Filter {
        // The generic timeout is that of every protocol without a handler.
        proto: wanted
            .map(|protocol| protocol.number)
            .filter(|number| *number != GENERIC),
        ..Filter::default()
    };
    let mut counting = Counting { filter, census };
    reading::entries(socket, dump::Table::Conntrack, &filter.plan(), &mut counting).await?;
    Ok(counting.census)
}

struct Counting {
    filter: Filter,
    census: Census,
}

impl dump::Sink for Counting {
    fn entry(&mut self, entry: &Entry<'_>) -> ControlFlow<()> {
        if self.filter.meets(entry) {
            self.census.take(entry);
        }
        ControlFlow::Continue(())
    }

    fn restart(&mut self) -> bool {
        self.census.restart();
        true
    }
}
