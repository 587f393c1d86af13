//! Cost of working on a large table, compared with `conntrack` and with readers and writers that parse nothing.

mod compare;
pub mod entries;
pub mod machine;
pub mod netlink;
pub mod process;
mod sections;
mod watch;

use std::{
    fs::{self, File},
    io::{BufRead as _, BufReader},
    process::{Command, ExitCode},
};

use anyhow::{Context as _, Result, ensure};

use crate::native::namespace::{Namespace, rsct, succeeds};
use entries::Subset;
use machine::Settings;

/// Options of `bench-table`.
#[derive(clap::Args)]
pub struct Options {
    /// Number of entries in the table; 1k is 1,000, 1M is 1,000,000
    #[arg(long, value_name = "N", value_delimiter = ',', default_value = "100k,1M", value_parser = count)]
    entries: Vec<u32>,
    /// Only this part
    #[arg(long, value_name = "NAME")]
    only: Option<Section>,
    /// Number of runs of each command
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
}

/// A part of the bench.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Section {
    /// The whole table
    List,
    /// A small part of it
    Filter,
    /// Delete a quarter of it
    Delete,
    /// Load all of it from a file
    Load,
    /// Events of new entries
    Watch,
}

/// The work of this program as the child that others are compared with.
#[derive(clap::Subcommand)]
pub enum Bare {
    /// Receive the table of this namespace
    Dump,
    /// Create entries in this namespace
    Create {
        /// Number of entries
        count: u32,
        /// Create only the quarter that is UDP
        #[arg(long)]
        udp: bool,
    },
}

impl Bare {
    /// Runs it.
    pub fn run(&self) -> ExitCode {
        let socket = netlink::Ctnetlink::open();
        let done = match *self {
            Self::Dump => socket.and_then(|socket| socket.dump()).map(drop),
            Self::Create { count, udp } => {
                let part = if udp { Subset::Udp } else { Subset::All };
                socket.and_then(|socket| socket.create(entries::flows(count, part)))
            }
        };
        ended(done.map(|()| true))
    }
}

/// Measures all and prints it; fails if a target is missed.
pub fn run(options: &Options) -> ExitCode {
    ended(measure(options))
}

fn ended(result: Result<bool>) -> ExitCode {
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("rsct-tests: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// A table of a size, and the programs under test.
struct Bench {
    namespace: Namespace,
    entries: u32,
    runs: usize,
    rsct: String,
    /// The path of this program.
    bare: String,
}

fn measure(options: &Options) -> Result<bool> {
    let most = options.entries.iter().copied().max().context("no table size")?;
    // The bench of events has its own entries, on top of an empty table.
    let settings = Settings::raise(u64::from(most) + u64::from(watch::FLOWS))?;
    let release = fs::read_to_string("/proc/sys/kernel/osrelease")?;
    let version = succeeds(Command::new("conntrack").arg("--version"))?;
    let (load, cpus) = machine::load()?;
    println!(
        "Linux {}, {cpus} CPUs (load average {load} before the start), hash size {}, {}.",
        release.trim(),
        settings.used_buckets,
        version.trim()
    );
    println!(
        "Commands run in turn, {} times each, at {}; output to /dev/null; time from start to end.",
        options.runs,
        if machine::run_with_priority() {
            "real-time priority, so that whatever else the machine does waits"
        } else {
            "ordinary priority"
        }
    );
    println!("Entries: {}.", entries::MIX);
    let wanted = |section| options.only.is_none_or(|only| only == section);
    let mut missed = 0;
    for &entries in &options.entries {
        let bench = Bench {
            namespace: Namespace::new("bench")?,
            entries,
            runs: options.runs as usize,
            rsct: path(&rsct())?,
            bare: path(&std::env::current_exe()?)?,
        };
        bench.create(false)?;
        bench.is_full()?;
        for (section, measure) in sections::ALL {
            if wanted(*section) {
                missed += measure(&bench)?;
            }
        }
    }
    if wanted(Section::Watch) {
        missed += watch::measure(&path(&rsct())?)?;
    }
    println!();
    match missed {
        0 => println!("All targets met."),
        1 => println!("1 target MISSED."),
        _ => println!("{missed} targets MISSED."),
    }
    Ok(missed == 0)
}

impl Bench {
    /// Creates the entries, or only the UDP entries of them.
    fn create(&self, udp: bool) -> Result<()> {
        let count = self.entries.to_string();
        let mut line = vec![self.bare.clone(), "bench-bare".into(), "create".into(), count];
        if udp {
            line.push("--udp".into());
        }
        process::run(&self.namespace.name, &line).context("fill the table")?;
        Ok(())
    }

    fn empty(&self) -> Result<()> {
        succeeds(&mut self.namespace.command("conntrack", &["-F"])).map(drop)
    }

    fn is_full(&self) -> Result<()> {
        let count = self
            .namespace
            .read("/proc/sys/net/netfilter/nf_conntrack_count")?;
        ensure!(
            count.trim() == self.entries.to_string(),
            "the table has {} entries, not {}",
            count.trim(),
            self.entries
        );
        Ok(())
    }
}

fn path(path: &std::path::Path) -> Result<String> {
    let path = path
        .to_str()
        .with_context(|| format!("{} is no UTF-8", path.display()))?;
    Ok(path.to_owned())
}

/// Number of entries in a file, in any format: lines with an address that all entries have, or an event.
fn count_entries(path: &std::path::Path) -> Result<usize> {
    let mut file = BufReader::new(File::open(path)?);
    let mut line = Vec::new();
    let mut count = 0;
    while file.read_until(b'\n', &mut line)? > 0 {
        let says = |word: &[u8]| line.windows(word.len()).any(|found| found == word);
        count += usize::from(says(b"192.0.2.1") || says(b"[NEW]") || says(b"\"event\":\"new\""));
        line.clear();
    }
    Ok(count)
}

fn word(met: bool) -> &'static str {
    if met { "met" } else { "MISSED" }
}

/// Reads a number with a suffix `k` or `M`.
fn count(text: &str) -> Result<u32, String> {
    let (digits, unit) = match text.strip_suffix(['k', 'M']) {
        Some(digits) if text.ends_with('k') => (digits, 1_000),
        Some(digits) => (digits, 1_000_000),
        None => (text, 1),
    };
    let number: u32 = digits.parse().map_err(|_| "a number, as 100k or 1M".to_owned())?;
    // A source has at most that many ports.
    match number.checked_mul(unit) {
        Some(count @ 1..=200_000_000) => Ok(count),
        _ => Err("between 1 and 200M".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::count;

    #[test]
    fn sizes_have_units() {
        assert_eq!(count("100k"), Ok(100_000));
        assert_eq!(count("1M"), Ok(1_000_000));
        assert_eq!(count("7"), Ok(7));
        for wrong in ["", "k", "0", "-1", "1G", "9999999999", "201M"] {
            assert!(count(wrong).is_err(), "{wrong}");
        }
    }
}
