//! `rsct timeout set`: sets the timeouts of a protocol's states.

use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;

use super::{
    assignments::{self, Assignment, STATES_HELP},
    exit_code,
    persist::DropInFile,
    print,
    protocol::{self, PROTOCOL_HELP},
};
use crate::{
    cli::{
        UsageError,
        namespaces::{Namespaces, NetnsArg},
        shared_args::{DryRunArg, FormatArg, TextOrJson},
    },
    kernel::netns::Netns,
    netlink::Socket,
    render::timeouts::Changed,
    schema::Command,
    timeouts::{PROTOCOLS, Protocol, TimeoutValues},
    waiting,
};

/// Set the timeouts of a protocol's states
///
/// Prints the old and the new timeouts. All values are checked before any is changed, and read back afterwards. Existing
/// entries keep their remaining time until the next packet of the flow; entries with a policy keep the policy's timeouts.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  rsct timeout set udp unreplied=10 replied=60
  rsct timeout set tcp established=1d --dry-run
  rsct timeout set tcp time_wait=30 --persist 90-rsct-timeouts.conf")]
pub(super) struct SetArgs {
    #[arg(help = PROTOCOL_HELP)]
    proto: String,
    #[arg(help = STATES_HELP, value_name = "STATE=SECS", required = true)]
    states: Vec<String>,
    #[command(flatten)]
    dry_run: DryRunArg,
    /// Also write the settings to this file in /etc/sysctl.d, which is read at boot
    ///
    /// The name is one such as 90-rsct-timeouts.conf. The new content is printed first; other lines of the file stay.
    #[arg(long, value_name = "FILE", conflicts_with = "netns")]
    persist: Option<String>,
    #[command(flatten)]
    output: FormatArg<TextOrJson>,
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
        // The file's text is no JSON.
        if args.output.format == TextOrJson::Text {
            print(file.shown().as_bytes())?;
        }
    }
    let staged = persistent.as_ref().filter(|_| !args.dry_run.dry_run);
    let staged = staged.map(DropInFile::stage).transpose()?;
    let set = Set {
        args,
        protocol,
        assignments: &assignments,
        namespaces: &namespaces,
    };
    let mut out = args.output.begin(Command::TimeoutSet);
    let visit = namespaces.visit(async |netns, socket| set.one(netns, socket, &mut out).await);
    let visited = waiting::block_on(visit);
    // Changes before an error are printed.
    print(&out)?;
    let all_went_well = visited?;
    namespaces.report_hidden();
    if args.dry_run.dry_run {
        message!("nothing has been changed.");
    }
    if let Some((file, staged)) = persistent.as_ref().zip(staged) {
        staged.put()?;
        message!(
            "{} has been written; it is read at boot, and has no effect if nf_conntrack is not loaded by then \
             (modules-load.d(5)).",
            file.path().display()
        );
    }
    Ok(exit_code(all_went_well))
}

/// The file, if all settings have a sysctl.
fn persistent(file: &str, protocol: &Protocol, assignments: &[Assignment]) -> anyhow::Result<DropInFile> {
    let settings = assignments.iter().map(|(state, seconds)| {
        let name = state.sysctl_name().ok_or_else(|| {
            UsageError(format!(
                "--persist: {}'s {} has no sysctl, so it cannot be written to a file of sysctls; omit it, or omit \
                 --persist",
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
        let mut values = TimeoutValues {
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
        let after = if self.args.dry_run.dry_run {
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
                let name = format!("{}'s {}", self.protocol.name, state.name);
                return Err(anyhow::anyhow!(
                    "{name} was set to {seconds} and is {} now",
                    now.map_or(0, |(_, now)| *now)
                ))
                .context("reading back the timeouts");
            }
        }
        Ok(())
    }

    /// Prints the named states, and others that changed with them.
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
            match self.args.output.format {
                TextOrJson::Text => changed.text(out, netns, self.namespaces.column()),
                TextOrJson::Json => changed.json(out, self.namespaces.are_named().then_some(netns)),
            }
        }
    }
}

type Read = Vec<(&'static Protocol, Vec<(u16, u32)>)>;

/// The values of every protocol: some protocols share their values with another.
async fn all(values: &mut TimeoutValues<'_>) -> anyhow::Result<Read> {
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
