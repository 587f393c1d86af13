//! `rsct timeout set`: other timeouts for a protocol's states.

use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;

use super::{
    Output,
    assignments::{self, Assignment},
    exit_code,
    persist::DropInFile,
    print, protocol,
};
use crate::{
    cli::{
        UsageError,
        namespaces::{Namespaces, NetnsArg},
    },
    kernel::netns::Netns,
    netlink::Socket,
    render::timeouts::Changed,
    schema::{self, Command},
    timeouts::{PROTOCOLS, Protocol, Values},
    waiting,
};

/// Set the timeouts of a protocol's states, and show what they were and are.
///
/// Everything is checked before anything is changed, and read back afterwards. An entry keeps the time that it has left
/// until its flow's next packet; entries under a policy keep the policy's.
#[derive(Debug, Args)]
pub(super) struct SetArgs {
    /// The protocol: tcp, udp, udplite, icmp, icmpv6, sctp, dccp, gre, or generic for all others.
    proto: String,
    /// A state, as `rsct timeout show` names it, and its seconds; or with a unit, such as 5m, 2h or 1d.
    #[arg(value_name = "STATE=SECS", required = true)]
    states: Vec<String>,
    /// Change nothing, say what would be changed.
    #[arg(long)]
    dry_run: bool,
    /// Also write the settings to this file in /etc/sysctl.d, such as 90-rsct-timeouts.conf, which is read when the
    /// machine starts. What it will say is shown first; its other lines stay.
    #[arg(long, value_name = "FILE", conflicts_with = "netns")]
    persist: Option<String>,
    /// How changes look.
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
    #[command(flatten)]
    netns: NetnsArg,
}

/// Runs `rsct timeout set`.
pub(super) fn run(args: &SetArgs) -> anyhow::Result<ExitCode> {
    let protocol = protocol::named(&args.proto)?;
    let assignments = assignments::parse(protocol, &args.states)?;
    let persistent = args
        .persist
        .as_deref()
        .map(|file| persistent(file, protocol, &assignments));
    let persistent = persistent.transpose()?;
    let namespaces = Namespaces::open(&args.netns)?;
    if let Some(file) = &persistent {
        file.check_namespace()?;
        // It is no JSON.
        if args.output == Output::Text {
            print(file.shown().as_bytes())?;
        }
    }
    let staged = persistent.as_ref().filter(|_| !args.dry_run);
    let staged = staged.map(DropInFile::stage).transpose()?;
    let set = Set {
        args,
        protocol,
        assignments: &assignments,
        namespaces: &namespaces,
    };
    let mut out = Vec::new();
    let visit = namespaces.visit(async |netns, socket| set.one(netns, socket, &mut out).await);
    let visited = waiting::block_on(visit);
    // What was changed is shown even where a namespace after it could not be.
    print(&out)?;
    let all_went_well = visited?;
    namespaces.tell_of_hidden();
    if args.dry_run {
        message!("nothing has been changed.");
    }
    if let Some((file, staged)) = persistent.as_ref().zip(staged) {
        staged.put()?;
        message!(
            "{} has been written; it is read when the machine starts, and does nothing where nf_conntrack is \
             not loaded by then (modules-load.d(5)).",
            file.path().display()
        );
    }
    Ok(exit_code(all_went_well))
}

/// The file, if all that is to be set can stand in it.
fn persistent(file: &str, protocol: &Protocol, assignments: &[Assignment]) -> anyhow::Result<DropInFile> {
    let settings = assignments.iter().map(|(state, seconds)| {
        let name = state.sysctl_name().ok_or_else(|| {
            UsageError(format!(
                "--persist: {}'s {} has no sysctl, and can't stand in a file of settings; leave it out, or leave \
                 out --persist",
                protocol.name, state.name
            ))
        })?;
        Ok((name, seconds.to_string()))
    });
    let settings = settings.collect::<Result<Vec<_>, UsageError>>()?;
    DropInFile::open(file, &settings)
}

struct Set<'a> {
    args: &'a SetArgs,
    protocol: &'static Protocol,
    assignments: &'a [Assignment],
    namespaces: &'a Namespaces,
}

impl Set<'_> {
    async fn one(&self, netns: &Netns, socket: &mut Socket, out: &mut Vec<u8>) -> anyhow::Result<()> {
        let mut values = Values {
            socket,
            at: self.namespaces.settings(netns),
        };
        let before = all(&mut values).await?;
        if !before.iter().any(|(of, _)| *of == self.protocol) {
            return Err(protocol::missing(self.protocol));
        }
        let wanted: Vec<(u16, u32)> = self
            .assignments
            .iter()
            .map(|(state, seconds)| (state.attribute, *seconds))
            .collect();
        let after = if self.args.dry_run {
            vec![(self.protocol, wanted.clone())]
        } else {
            values.write(self.protocol, &wanted).await?;
            all(&mut values).await?
        };
        for (protocol, after) in &after {
            self.show(netns, protocol, seconds_of(&before, protocol), after, out);
        }
        let read_back = seconds_of(&after, self.protocol);
        for (state, seconds) in self.assignments {
            let now = read_back
                .iter()
                .find(|(attribute, _)| *attribute == state.attribute);
            if now.is_some_and(|(_, now)| now != seconds) {
                let said = format!("{}'s {} was set to {seconds}", self.protocol.name, state.name);
                return Err(anyhow::anyhow!(
                    "{said} and is {} now",
                    now.map_or(0, |(_, now)| *now)
                ))
                .context("reading back what was set");
            }
        }
        Ok(())
    }

    /// Shows what was named, and whatever else has changed with it.
    fn show(
        &self,
        netns: &Netns,
        protocol: &'static Protocol,
        before: &[(u16, u32)],
        after: &[(u16, u32)],
        out: &mut Vec<u8>,
    ) {
        for state in protocol.states {
            let of = |values: &[(u16, u32)]| {
                let found = values.iter().find(|(attribute, _)| *attribute == state.attribute);
                found.map(|(_, seconds)| *seconds)
            };
            let (before, Some(after)) = (of(before), of(after)) else {
                continue;
            };
            let is_named =
                protocol == self.protocol && self.assignments.iter().any(|(named, _)| *named == state);
            if !is_named && before == Some(after) {
                continue;
            }
            let changed = Changed {
                protocol,
                state,
                before,
                after,
            };
            match self.args.output {
                Output::Text => changed.text(out, netns, self.namespaces.column()),
                Output::Json => {
                    schema::begin_once(out, Command::TimeoutSet);
                    changed.json(out, self.namespaces.are_named().then_some(netns));
                }
            }
        }
    }
}

type Read = Vec<(&'static Protocol, Vec<(u16, u32)>)>;

/// The values of every protocol: some keep theirs in one place with another's.
async fn all(values: &mut Values<'_>) -> anyhow::Result<Read> {
    let mut all = Vec::new();
    for protocol in PROTOCOLS {
        if let Some(read) = values.read(protocol).await? {
            all.push((protocol, read));
        }
    }
    Ok(all)
}

fn seconds_of<'a>(read: &'a Read, protocol: &Protocol) -> &'a [(u16, u32)] {
    let found = read.iter().find(|(of, _)| *of == protocol);
    found.map_or(&[], |(_, values)| values)
}
