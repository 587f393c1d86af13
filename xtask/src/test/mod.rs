//! `cargo xtask test`: every check, from formatting to every kernel of the matrix.

mod cargo;
mod guests;
mod host;
pub mod pages;
mod plan;
mod prometheus;
mod results;

use std::{
    process::ExitCode,
    sync::{OnceLock, mpsc},
    thread,
};

use anyhow::{Result, bail};
use clap::{Args, ValueEnum};

use self::{
    plan::{Boot, Listed},
    results::Results,
};
use crate::{
    build::Profile,
    exec, fuzz,
    kernels::{self, MATRIX},
    lint::LINTS,
    machine, perfetto,
    report::Tally,
    toolchain,
};

/// Duration of each fuzz target; its corpus alone needs less.
const FUZZ_SECONDS: u32 = 5;

/// Run every test.
#[derive(Args)]
pub struct Options {
    /// A kernel for the guest tests (repeatable); all of the matrix unless given
    #[arg(long = "kernel", value_name = "NAME")]
    kernels: Vec<String>,
    /// Run only these tests (repeatable)
    #[arg(long, value_name = "KIND")]
    only: Vec<Kind>,
    /// Number of guests in parallel; twice as many after compiling and fuzzing have ended
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=64))]
    jobs: u32,
    /// Print the plan (the kernels and forms of each scenario, with reasons) and run nothing
    #[arg(long)]
    plan: bool,
    /// Only tests whose name contains this
    filter: Option<String>,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Kind {
    /// Words, formatting and clippy
    Lint,
    /// Unit and property tests
    Unit,
    /// Fuzz targets, for some seconds each
    Fuzz,
    /// Tests on this machine, in separate network namespaces
    Native,
    /// Pages of `rsct report` in Debian's chromium, without a screen
    Pages,
    /// Exports of recordings, opened in Perfetto's trace_processor
    Export,
    /// Debian's Prometheus, which scrapes rsct in a guest
    Prometheus,
    /// Scenarios in guests
    Guest,
}

impl Options {
    fn wants(&self, kind: Kind) -> bool {
        // A filter matches test names; lints have none.
        let named = kind != Kind::Lint || self.filter.is_none();
        named && (self.only.is_empty() || self.only.contains(&kind))
    }

    fn kernels(&self) -> Vec<String> {
        if self.kernels.is_empty() {
            MATRIX.iter().map(|kernel| kernel.name.to_owned()).collect()
        } else {
            self.kernels.clone()
        }
    }

    fn filter(&self) -> Option<&str> {
        self.filter.as_deref()
    }
}

/// Runs the subcommand.
pub fn run(options: &Options) -> Result<ExitCode> {
    for kernel in &options.kernels {
        kernels::check(kernel)?;
    }
    if options.plan {
        Profile::Quick.ensure()?;
        let listed = guests::listed(options.filter())?;
        let boots = plan::queue(Boot::all(&options.kernels()), &listed.guest);
        print!("{}", plan::text(&listed, &boots));
        return Ok(ExitCode::SUCCESS);
    }
    let results = Results::new(options.filter.is_some());
    prepare_and_run(options, &results)?;
    Ok(results.close())
}

/// Network, compiler and guests are used in parallel: each fetches or builds what the next needs, and everything that
/// guests do not need is compiled while they run.
fn prepare_and_run(options: &Options, results: &Results) -> Result<()> {
    let wanted = [
        Kind::Native,
        Kind::Guest,
        Kind::Pages,
        Kind::Export,
        Kind::Prometheus,
    ];
    let [native, guest, pages, export, prometheus] = wanted.map(|kind| options.wants(kind));
    let kernels = &options.kernels();
    let built = OnceLock::new();
    let (compiles, idle) = mpsc::channel();
    if guest {
        machine::ensure(&[machine::FOR_BUILDS, machine::FOR_GUESTS])?;
    }
    thread::scope(|scope| {
        let fetching = guest.then(|| scope.spawn(|| guests::fetch(kernels)));
        toolchain::ensure()?;
        // The guests wait for this, so nothing else compiles before.
        let listed = built.get_or_init(|| {
            if !native && !guest && !pages && !export && !prometheus {
                return Ok(Listed::default());
            }
            let listed = Profile::Quick
                .ensure()
                .and_then(|()| guests::listed(options.filter()));
            listed.map_err(|error| format!("{error:#}"))
        });
        let compiling = scope.spawn(|| compile(options, results));
        if native {
            scope.spawn(move || results.suite("native", || host::native(listed, options.filter())));
        }
        if pages {
            scope.spawn(move || results.suite("pages", || pages::run(listed, options.filter())));
        }
        if prometheus {
            scope.spawn(move || {
                results.suite("prometheus", || prometheus::run(listed, options.filter()));
            });
        }
        if export {
            scope.spawn(move || {
                results.suite("export", || match listed {
                    Ok(_) => perfetto::test(options.filter()),
                    Err(complaint) => bail!("{complaint}"),
                });
            });
        }
        if let Some(fetching) = fetching {
            scope.spawn(move || {
                let fetched = fetching.join().unwrap_or_else(|_| bail!("fetching panicked"));
                match (listed, fetched) {
                    (Ok(listed), Ok(())) => {
                        let queue = plan::queue(Boot::all(kernels), &listed.guest);
                        guests::run(
                            results,
                            queue,
                            &listed.guest,
                            options.jobs,
                            idle,
                            options.filter(),
                        );
                    }
                    (Err(complaint), _) => results.suite("guests", || bail!("{complaint}")),
                    (_, Err(error)) => results.suite("guests", || Err(error)),
                }
            });
        }
        // It uses all processors for some seconds, so it must not wait for a single one.
        let _ = compiling.join();
        if options.wants(Kind::Fuzz) {
            results.suite("fuzz", || fuzz::test(options.filter(), FUZZ_SECONDS));
        }
        drop(compiles);
        Ok(())
    })
}

/// Sequential because of cargo's lock, and with low priority while guests run.
fn compile(options: &Options, results: &Results) {
    exec::lower_priority();
    if options.wants(Kind::Lint) {
        for lint in LINTS {
            results.suite(lint.name, || Ok(Tally::one(lint.name, lint.complaint())));
        }
    }
    if options.wants(Kind::Unit) {
        results.suite("unit", || host::unit(options.filter()));
    }
    if options.wants(Kind::Fuzz) {
        // The error is reported again when the targets are run.
        let _ = fuzz::prepare(options.filter());
    }
}
