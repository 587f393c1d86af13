//! Scenarios that run rsct on real kernels with real packets.

mod bench;
mod demo;
mod docs;
mod guest;
mod lab;
mod native;
mod prometheus;
mod registry;
mod sentence;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use registry::{Part, Selection};

/// Runs scenarios and prints the outcome of each.
#[derive(Parser)]
#[command(name = "rsct-tests")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the scenarios that need no kernel of their own, as root
    Native(Names),
    /// Run the scenarios that own the whole machine
    Guest {
        /// Form in which rsct attaches: fentry or kprobe
        #[arg(long, value_name = "MODE")]
        attach: Option<String>,
        /// Exclude scenarios that run once on a kernel, in any form
        #[arg(long)]
        each_form: bool,
        /// Exclude scenarios that run on the newest kernel only
        #[arg(long)]
        not_newest: bool,
        /// Exclude scenarios that run on the oldest and on the newest kernel only
        #[arg(long)]
        between: bool,
        /// Run only this share of the scenarios, as in 2/3: the second of three
        #[arg(long, value_name = "N/OF", default_value = "1/1")]
        part: Part,
        /// Run every scenario on all processors, not only those that are about several
        #[arg(long)]
        all_cpus: bool,
        #[command(flatten)]
        names: Names,
    },
    /// List all scenarios: kind, name, how often each runs, and kernels that may skip it, between tabs
    List,
    /// Measure what tracing costs, in a guest whose clock counts instructions
    BenchPacket {
        /// Only this part: packets, latency or memory.
        only: Option<String>,
    },
    /// Measure what starting and stopping costs, in a guest whose clock counts instructions
    BenchStart {
        /// Only this command.
        only: Option<String>,
    },
    /// Measure what `rsct top` costs, in a guest whose clock counts instructions
    BenchTop {
        /// Only this part: packets or table.
        only: Option<String>,
    },
    /// Measure what working on a large table costs, as root
    BenchTable(bench::table::Options),
    /// The programs that rsct and conntrack are compared with
    #[command(subcommand, hide = true)]
    BenchBare(bench::table::Bare),
    /// Fill a table while Debian's Prometheus scrapes rsct, in a guest that has it
    Prometheus,
    /// Play the demo
    Demo {
        /// Run `rsct ARGS` during the demo, in place of `rsct trace`
        #[arg(last = true, value_name = "ARGS")]
        args: Vec<String>,
    },
}

#[derive(clap::Args)]
struct Names {
    /// Only scenarios whose name contains one of these
    #[arg(value_name = "NAME")]
    names: Vec<String>,
}

/// Scenarios limit the descriptors of their programs, and count with 0, 1 and 2 open: what the caller left open is theirs
/// no more.
fn keep_descriptors_from_children() {
    // SAFETY: it only marks descriptors as closed by exec. A kernel that cannot (before 5.11) leaves them as they are.
    unsafe {
        libc::syscall(
            libc::SYS_close_range,
            3,
            libc::c_uint::MAX,
            libc::CLOSE_RANGE_CLOEXEC,
        )
    };
}

fn main() -> ExitCode {
    keep_descriptors_from_children();
    match Cli::parse().command {
        Command::Native(Names { names }) => {
            let selection = Selection {
                names: &names,
                ..Selection::default()
            };
            registry::run(native::SCENARIOS, &selection, registry::plainly)
        }
        Command::Guest {
            attach,
            each_form,
            not_newest,
            between,
            part,
            all_cpus,
            names: Names { names },
        } => {
            if let Some(mode) = attach {
                // SAFETY: no other thread has been started yet.
                unsafe { std::env::set_var(guest::ATTACH, mode) };
            }
            let selection = Selection {
                names: &names,
                each_form,
                not_newest,
                between,
                part,
            };
            let runner = if all_cpus {
                registry::plainly
            } else {
                guest::on_few_cpus
            };
            registry::run(guest::SCENARIOS, &selection, runner)
        }
        Command::List => {
            registry::list("native", native::SCENARIOS);
            registry::list("guest", guest::SCENARIOS);
            ExitCode::SUCCESS
        }
        Command::BenchPacket { only } => bench::packet(only.as_deref()),
        Command::BenchStart { only } => bench::start(only.as_deref()),
        Command::BenchTop { only } => bench::top(only.as_deref()),
        Command::BenchTable(options) => bench::table::run(&options),
        Command::BenchBare(bare) => bare.run(),
        Command::Prometheus => prometheus::run(),
        Command::Demo { args } => demo::run(&args).unwrap_or_else(|error| {
            eprintln!("rsct-tests: {error:#}");
            ExitCode::FAILURE
        }),
    }
}
