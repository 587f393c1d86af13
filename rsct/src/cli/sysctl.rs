//! `rsct sysctl`: conntrack's sysctls and their meaning.

use std::{
    collections::VecDeque,
    io::{self, Write as _},
    process::ExitCode,
};

use anyhow::{Context as _, anyhow, bail};
use clap::Args;

use super::{
    UsageError, duration, is_broken_pipe,
    namespaces::{Namespaces, NetnsArg},
    shared_args::{FormatArg, TextOrJson},
};
use crate::{
    kernel::{
        hz::Hz,
        netns::Netns,
        sysctl::{NETFILTER, Setting, Where},
    },
    render::sysctls::{self as render, Line},
    schema::Command,
    sysctls::{Bounds, Known, full, is_ours},
    waiting,
};

/// Print and set conntrack's sysctls: value, bounds and meaning
///
/// Sysctls are those of net.netfilter.nf_conntrack_*. Most exist in each network namespace; a few are global, and only the
/// initial namespace can set them. All values are checked before any is set, and read back afterwards.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  rsct sysctl
  rsct sysctl max=262144 buckets=65536
  rsct sysctl nf_conntrack_events --netns all -o json")]
pub struct SysctlArgs {
    /// Name of a sysctl to print, or NAME=VALUE to set it
    ///
    /// Short names are accepted: max is net.netfilter.nf_conntrack_max. Default: all sysctls except the timeouts of states,
    /// which `rsct timeout show` prints.
    #[arg(value_name = "NAME[=VALUE]")]
    settings: Vec<String>,
    /// Also print the timeouts of states
    #[arg(short, long, conflicts_with = "settings")]
    all: bool,
    #[command(flatten)]
    output: FormatArg<TextOrJson>,
    #[command(flatten)]
    netns: NetnsArg,
}

/// A given sysctl and its new value, if any.
struct Named<'a> {
    name: String,
    value: Option<&'a str>,
}

/// Runs `rsct sysctl`.
pub fn run(args: &SysctlArgs) -> anyhow::Result<ExitCode> {
    let named = args
        .settings
        .iter()
        .map(|typed| parse(typed))
        .collect::<Result<Vec<_>, _>>()?;
    let namespaces = Namespaces::open(&args.netns)?;
    let mut sysctl = Sysctl {
        args,
        named: &named,
        namespaces: &namespaces,
        hz: Hz::of_running_kernel().ok(),
        out: args.output.begin(Command::Sysctl),
        begun: false,
    };
    let visit = namespaces.visit(async |netns, _| sysctl.one(netns));
    let visited = waiting::block_on(visit);
    let mut stdout = io::stdout().lock();
    match stdout.write_all(&sysctl.out).and_then(|()| stdout.flush()) {
        Err(error) if !is_broken_pipe(&error) => {
            return Err(error).context("writing settings to standard output");
        }
        _ => {}
    }
    let all_went_well = visited?;
    namespaces.report_hidden();
    Ok(if all_went_well {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn parse(typed: &str) -> Result<Named<'_>, UsageError> {
    let (name, value) = match typed.split_once('=') {
        Some((name, value)) => (name.trim(), Some(value.trim())),
        None => (typed, None),
    };
    let name = full(name).ok_or_else(|| {
        UsageError(format!(
            "{name:?}: expected the name of a setting of conntrack, such as max or net.netfilter.nf_conntrack_max"
        ))
    })?;
    Ok(Named { name, value })
}

struct Sysctl<'a> {
    args: &'a SysctlArgs,
    named: &'a [Named<'a>],
    namespaces: &'a Namespaces,
    hz: Option<Hz>,
    out: Vec<u8>,
    begun: bool,
}

impl Sysctl<'_> {
    fn one(&mut self, netns: &Netns) -> anyhow::Result<()> {
        let at = self.namespaces.settings(netns);
        let reading = || format!("reading the settings{}", self.namespaces.of(netns));
        let there = match at.names(NETFILTER) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            names => names.with_context(reading)?,
        };
        if !there
            .iter()
            .any(|name| name == "net.netfilter.nf_conntrack_count")
        {
            bail!(
                "{}: conntrack is not loaded (`modprobe nf_conntrack`), or has no settings here",
                reading()
            );
        }
        let names: Vec<String> = if self.named.is_empty() {
            self.in_order(there)
        } else {
            self.named.iter().map(|named| named.name.clone()).collect()
        };
        let read = at.read(&names).with_context(reading)?;
        let mut settings = Vec::new();
        for (name, setting) in names.iter().zip(read) {
            settings.push((name.as_str(), setting.ok_or_else(|| missing(name))?));
        }
        let mut writes = Vec::new();
        for ((name, setting), named) in settings.iter().zip(self.named) {
            if let Some(value) = named.value {
                writes.push((*name, setting, self.checked(at, name, setting, value)?));
            }
        }
        let after = write(at, &writes)?;
        let mut changed = after.iter();
        for (index, (name, setting)) in settings.iter().enumerate() {
            let value = value(name, setting)?;
            if self.named.get(index).is_some_and(|named| named.value.is_some()) {
                let after = changed.next().map_or("?", String::as_str);
                self.show_change(netns, name, value, after);
            } else {
                self.show(netns, name, setting, value);
            }
        }
        Ok(())
    }

    /// All sysctls of the kernel, those that rsct knows first.
    fn in_order(&self, there: Vec<String>) -> Vec<String> {
        let mut names: Vec<String> = Known::all()
            .filter_map(|known| full(known.short))
            .filter(|name| there.contains(name))
            .collect();
        for name in there {
            let is_timeout = Known::of(&name).is_some_and(|known| known.timeout_of.is_some());
            if is_ours(&name) && !names.contains(&name) && (self.args.all || !is_timeout) {
                names.push(name);
            }
        }
        names
    }

    /// The value to write, if the sysctl accepts it.
    fn checked(&self, at: Where<'_>, name: &str, setting: &Setting, typed: &str) -> anyhow::Result<String> {
        let known = Known::of(name);
        if known.is_some_and(|known| known.bounds == Bounds::ReadOnly) {
            bail!("setting {name}: it is a count of the kernel, and read-only");
        }
        if !setting.writable {
            match known {
                Some(known) if known.first_only => bail!(
                    "setting {name}: it is global, and only the initial network namespace can set it; run the command \
                     there"
                ),
                _ => bail!("setting {name}: it is read-only here"),
            }
        }
        let Some(known) = known else {
            return Ok(typed.to_owned());
        };
        let wrong = |why: String| UsageError(format!("{}={typed:?}: {why}", known.short));
        let number = match known.bounds {
            Bounds::Seconds => duration::parse_seconds(typed).map_err(wrong)?,
            _ => typed.parse().map_err(|_| wrong("expected a number".to_owned()))?,
        };
        let (least, most) = match known.bounds {
            Bounds::BytesUpTo(other) => (0, self.other(at, other)?),
            Bounds::BytesFrom(other) => (self.other(at, other)?, u64::MAX),
            bounds => bounds.numbers(self.hz).unwrap_or((0, u64::MAX)),
        };
        if number < least || number > most {
            let by = match known.bounds {
                Bounds::BytesUpTo(other) | Bounds::BytesFrom(other) => format!(" ({other} sets a bound)"),
                _ => String::new(),
            };
            let most = if most == u64::MAX {
                format!("{least} at least")
            } else {
                format!("from {least} to {most}")
            };
            return Err(wrong(format!("expected {most}{by}")).into());
        }
        Ok(number.to_string())
    }

    /// The value of a sysctl that is another's bound: its new value, or its current one.
    fn other(&self, at: Where<'_>, short: &str) -> anyhow::Result<u64> {
        let name = full(short).unwrap_or_default();
        let to_come = self.named.iter().find(|named| named.name == name);
        let there = match to_come.and_then(|named| named.value) {
            Some(value) => Some(value.to_owned()),
            None => at
                .read(std::slice::from_ref(&name))?
                .remove(0)
                .and_then(|setting| setting.value.ok()),
        };
        there
            .and_then(|value| value.parse().ok())
            .ok_or_else(|| anyhow!("reading {name}: it has no number"))
    }

    fn show(&mut self, netns: &Netns, name: &str, setting: &Setting, value: &str) {
        let line = Line {
            name,
            value,
            writable: setting.writable,
            known: Known::of(name),
            hz: self.hz,
        };
        match self.args.output.format {
            TextOrJson::Json => {
                render::json(&mut self.out, &line, self.namespaces.are_named().then_some(netns));
            }
            TextOrJson::Text => {
                let column = self.namespaces.column();
                if !std::mem::replace(&mut self.begun, true) {
                    render::header(&mut self.out, column);
                }
                render::text(&mut self.out, &line, netns, column);
            }
        }
    }

    fn show_change(&mut self, netns: &Netns, name: &str, before: &str, after: &str) {
        match self.args.output.format {
            TextOrJson::Json => {
                let netns = self.namespaces.are_named().then_some(&**netns);
                render::changed_json(&mut self.out, name, before, after, netns);
            }
            TextOrJson::Text => {
                render::changed_text(
                    &mut self.out,
                    name,
                    before,
                    after,
                    netns,
                    self.namespaces.column(),
                );
            }
        }
    }
}

/// Writes all values or none, and returns the values read back.
fn write(at: Where<'_>, writes: &[(&str, &Setting, String)]) -> anyhow::Result<Vec<String>> {
    let mut todo: VecDeque<_> = writes.iter().collect();
    let mut done = Vec::new();
    // Rejected writes since the last successful one: a sysctl that bounds another may have to be written first.
    let mut refusals = 0;
    while let Some(write @ (name, _, value)) = todo.pop_front() {
        match at.write(name, value) {
            Ok(()) => {
                done.push(write);
                refusals = 0;
            }
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) && refusals < todo.len() => {
                todo.push_back(write);
                refusals += 1;
            }
            Err(error) => {
                for (name, setting, _) in done.iter().rev() {
                    // An error here cannot be handled; the original one is returned.
                    let _ = setting.value.as_ref().map(|before| at.write(name, before));
                }
                return Err(refused(name, value, &error));
            }
        }
    }
    let names: Vec<String> = writes.iter().map(|(name, ..)| (*name).to_owned()).collect();
    let read = at.read(&names).context("reading the settings back")?;
    let mut after = Vec::new();
    for ((name, _, wanted), setting) in writes.iter().zip(read) {
        let setting = setting.ok_or_else(|| missing(name))?;
        let value = value(name, &setting)?;
        if value != wanted {
            message!("{name} was set to {wanted}, but the kernel changed it to {value}");
        }
        after.push(value.to_owned());
    }
    Ok(after)
}

fn value<'a>(name: &str, setting: &'a Setting) -> anyhow::Result<&'a str> {
    match &setting.value {
        Ok(value) => Ok(value),
        Err(errno) => Err(io::Error::from_raw_os_error(*errno)).with_context(|| format!("reading {name}")),
    }
}

fn missing(name: &str) -> anyhow::Error {
    if Known::of(name).is_some() {
        anyhow!("{name}: this kernel has no such setting; `rsct sysctl --all` lists all settings")
    } else {
        UsageError(format!(
            "{name}: there is no such setting; `rsct sysctl --all` lists all settings"
        ))
        .into()
    }
}

fn refused(name: &str, value: &str, error: &io::Error) -> anyhow::Error {
    let why = match error.raw_os_error() {
        Some(libc::EPERM | libc::EACCES) => "not permitted; run as root".to_owned(),
        Some(libc::EROFS) => "/proc/sys is mounted read-only here, as in many containers".to_owned(),
        Some(libc::EINVAL) => "the kernel rejects it as invalid".to_owned(),
        Some(libc::EBUSY) => "it cannot be disabled again once it is enabled".to_owned(),
        Some(libc::ENOMEM) => "the kernel has no memory for it".to_owned(),
        _ => error.to_string(),
    };
    anyhow!("setting {name} to {value}: {why}; nothing has been changed")
}
