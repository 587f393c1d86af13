//! `rsct timeout show`: every state's timeout.

use std::{io, ops::ControlFlow, process::ExitCode};

use clap::Args;

use super::{Output, exit_code, print, protocol};
use crate::{
    cli::{
        namespaces::{Namespaces, NetnsArg},
        reading,
    },
    filter::Filter,
    kernel::netns::Netns,
    netlink::{Error, Socket, conntrack::Entry, dump},
    plural,
    render::{
        color::Palette,
        timeouts::{self as render, Line},
    },
    schema::{self, Command},
    timeouts::{Builtin, Census, GENERIC, PROTOCOLS, Protocol, Values, is_reduction},
    waiting,
};

/// Show every protocol's states: the timeout in force, the kernel's own default, and how many entries are in the state.
///
/// A * marks a timeout that is not the kernel's default, which is measured in a network namespace made for that.
/// Reductions (retrans, unacknowledged) are taken instead of the state's timeout where they are shorter; entries don't
/// show which of them have one. An entry may have another timeout than its state's: from a policy, or because it was
/// set for it alone.
#[derive(Debug, Args)]
pub(super) struct ShowArgs {
    /// One protocol: tcp, udp, udplite, icmp, icmpv6, sctp, dccp, gre, or generic for all others. All that this kernel
    /// has a handler for unless given.
    proto: Option<String>,
    /// How timeouts look.
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
    #[command(flatten)]
    netns: NetnsArg,
}

/// Runs `rsct timeout show`.
pub(super) fn run(args: &ShowArgs) -> anyhow::Result<ExitCode> {
    let wanted = args.proto.as_deref().map(protocol::named).transpose()?;
    let namespaces = Namespaces::open(&args.netns)?;
    let mut show = Show {
        output: args.output,
        wanted,
        builtin: None,
        palette: Palette::PLAIN,
        out: Vec::new(),
    };
    if args.output == Output::Text {
        show.palette = Palette::for_stream(&io::stdout());
        render::header(&mut show.out, namespaces.column());
    }
    let visit = namespaces.visit(async |netns, socket| show.one(&namespaces, netns, socket).await);
    let all_went_well = waiting::block_on(visit)?;
    print(&show.out)?;
    namespaces.tell_of_hidden();
    Ok(exit_code(all_went_well))
}

struct Show {
    output: Output,
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
        let mut values = Values {
            socket,
            at: namespaces.settings(netns),
        };
        // All of them are asked for: who has no handler is governed by the generic one.
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
                    Output::Text => {
                        render::text(&mut self.out, &line, netns, namespaces.column(), self.palette);
                    }
                    Output::Json => {
                        schema::begin_once(&mut self.out, Command::TimeoutShow);
                        render::json(&mut self.out, &line, namespaces.are_named().then_some(netns));
                    }
                }
            }
        }
        self.builtin = Some(builtin);
        if census.others > 0 {
            message!(
                "{}{} in no line: this version of rsct knows no timeout of the state",
                plural::count(census.others, "entry", "entries"),
                namespaces.of(netns)
            );
        }
        Ok(())
    }
}

/// The kernel's own defaults, or none and a sentence that says why.
async fn measure(protocols: impl IntoIterator<Item = &'static Protocol>) -> Builtin {
    match Builtin::measure(protocols).await {
        Ok(builtin) => builtin,
        Err(error) => {
            message!("the kernel's own defaults can't be measured and are not shown: {error}");
            Builtin::default()
        }
    }
}

/// Counts the entries in each state, of one protocol or of all.
async fn count(socket: &mut Socket, wanted: Option<&Protocol>, census: Census) -> Result<Census, Error> {
    let filter = Filter {
        // The generic one is of every protocol that has none of its own.
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
