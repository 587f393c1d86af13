//! Reads the kernel's counters, takes a snapshot, and draws both.

use std::{
    cell::{Cell, RefCell},
    fs,
    rc::Rc,
    time::{Instant, SystemTime},
};

use anyhow::bail;
use tokio::sync::Mutex;

use super::{reading, traced::Traced};
use crate::{
    kernel::{
        clock,
        netns::{self, Selector},
    },
    metrics::{
        Format, KernelCounts, Label, Namespaces, Now, Own, Process, Shape, TraceNow, Traffic, draw,
        series_limit,
    },
    records::{HookCounts, Lost},
    snapshot::{Culprits, Snapshot},
};

/// The namespaces and the families that an exporter reads.
#[derive(Clone, Debug)]
pub(super) struct Options {
    /// The namespaces.
    pub selector: Selector,
    /// Sources with a series of their own.
    pub top_sources: u16,
    /// True with `--latency`.
    pub has_latency: bool,
    /// True with `--compat node_exporter`.
    pub has_compat: bool,
}

/// The exporter. One reading answers all scrapes that wait for it.
pub(super) struct Exporter {
    options: Options,
    /// The namespace of `--compat`: the selected one, or rsct's own.
    own_netns: Option<u32>,
    series_limit: u64,
    started: f64,
    traced: RefCell<Option<Traced>>,
    scrapes: Cell<u64>,
    cut: Cell<u64>,
    state: Mutex<State>,
}

struct State {
    kernel: KernelCounts,
    traffic: Option<Traffic>,
    trace: Option<Trace>,
    /// When the last reading began.
    begun: Option<Instant>,
    reading_s: f64,
    /// The text of each format, of the last reading.
    texts: Vec<(Format, Rc<[u8]>)>,
    complaint: Option<String>,
}

/// The figures of the programs at the last reading.
struct Trace {
    snapshot: Snapshot,
    lost: Lost,
    skipped: u64,
    causes_lost: u64,
    hooks: HookCounts,
    run: bool,
    calls: Option<crate::latency::Reading>,
}

impl Exporter {
    /// Has read nothing yet.
    pub(super) fn new(options: Options) -> anyhow::Result<Self> {
        let namespaces = match &options.selector {
            // Of rsct's own namespace, the label would only be a number.
            Selector::Current => Namespaces::single(""),
            Selector::One(name) => Namespaces::single(name),
            Selector::All => Namespaces::all(),
        };
        let own_netns = match options.selector {
            Selector::All => Some(netns::current()?.inode as u32),
            _ => None,
        };
        Ok(Self {
            series_limit: series_limit(Shape {
                namespaces: namespaces.most(),
                sources: options.top_sources.into(),
                has_latency: options.has_latency,
                has_compat: options.has_compat,
            }),
            own_netns,
            options,
            started: now_s(),
            traced: RefCell::new(None),
            scrapes: Cell::new(0),
            cut: Cell::new(0),
            state: Mutex::new(State {
                kernel: KernelCounts::new(namespaces),
                traffic: None,
                trace: None,
                begun: None,
                reading_s: 0.0,
                texts: Vec::new(),
                complaint: None,
            }),
        })
    }

    /// The first reading, without which there is nothing to export. Returns the number of entries.
    pub(super) async fn begin(&self) -> anyhow::Result<usize> {
        let readings = reading::read(&self.options.selector).await?;
        match (readings.namespaces.is_empty(), readings.errors.first()) {
            (true, Some(error)) => bail!("cannot export metrics: {error}"),
            _ => Ok(readings
                .namespaces
                .iter()
                .map(|of| of.table.entries as usize)
                .sum()),
        }
    }

    /// Also exports the figures of the programs, or no longer.
    pub(super) fn trace(&self, traced: Option<Traced>) {
        *self.traced.borrow_mut() = traced;
    }

    /// The largest number of series.
    pub(super) fn series_limit(&self) -> u64 {
        self.series_limit
    }

    /// A client was disconnected.
    pub(super) fn cut_client(&self) {
        self.cut.set(self.cut.get() + 1);
    }

    /// Reads without a scrape.
    pub(super) async fn read(&self) {
        let mut state = self.state.lock().await;
        self.read_into(&mut state).await;
    }

    /// The metrics now: of a reading that began after this call.
    pub(super) async fn text(&self, format: Format) -> Rc<[u8]> {
        let called = Instant::now();
        self.scrapes.set(self.scrapes.get() + 1);
        let mut state = self.state.lock().await;
        if state.begun.is_none_or(|begun| begun < called) {
            self.read_into(&mut state).await;
        }
        if let Some((_, text)) = state.texts.iter().find(|(of, _)| *of == format) {
            return Rc::clone(text);
        }
        let text: Rc<[u8]> = self.draw(&state, format).into();
        state.texts.push((format, Rc::clone(&text)));
        text
    }

    async fn read_into(&self, state: &mut State) {
        let begun = Instant::now();
        let complaint = match reading::read(&self.options.selector).await {
            Ok(readings) => {
                state.kernel.read(clock::monotonic_ns(), &readings.namespaces);
                readings.errors.into_iter().next()
            }
            Err(error) => {
                state.kernel.read(clock::monotonic_ns(), &[]);
                Some(error.to_string())
            }
        };
        if complaint.is_some() {
            state.kernel.failed();
        }
        if let Some(complaint) = &complaint
            && state.complaint.as_ref() != Some(complaint)
        {
            message!("counters are missing in the metrics: {complaint}");
        }
        state.complaint = complaint;
        state.begun = Some(begun);
        state.reading_s = begun.elapsed().as_secs_f64();
        state.texts.clear();
        self.take_snapshot(state);
    }

    fn take_snapshot(&self, state: &mut State) {
        let traced = self.traced.borrow();
        let Some(traced) = &*traced else {
            state.trace = None;
            state.traffic = None;
            return;
        };
        let figures = traced.figures();
        let mut snapshot = figures.collector.snapshot(figures.now_ns);
        let at = now_s();
        let traffic = state
            .traffic
            .get_or_insert_with(|| Traffic::new(self.options.top_sources.into(), at));
        traffic.grow(&snapshot, at, &state.kernel.namespaces);
        // The next snapshot has them again.
        snapshot.culprits = Culprits::default();
        state.trace = Some(Trace {
            snapshot,
            lost: figures.lost.clone(),
            skipped: figures.skipped,
            causes_lost: figures.causes_lost,
            hooks: figures.hooks,
            run: figures.run,
            calls: figures.calls.clone(),
        });
    }

    fn draw(&self, state: &State, format: Format) -> Vec<u8> {
        let trace = state.trace.as_ref().zip(state.traffic.as_ref());
        let label = || match self.own_netns {
            Some(inode) => state.kernel.namespaces.of(inode),
            None => Label::Own(0),
        };
        let now = Now {
            kernel: &state.kernel,
            trace: trace.map(|(trace, traffic)| TraceNow {
                snapshot: &trace.snapshot,
                traffic,
                lost: &trace.lost,
                skipped: trace.skipped,
                causes_lost: trace.causes_lost,
                hooks: trace.hooks,
                run: trace.run,
                calls: trace.calls.as_ref(),
            }),
            own: Own {
                process: process().unwrap_or_default(),
                started: self.started,
                scrapes: self.scrapes.get(),
                cut: self.cut.get(),
                reading_s: state.reading_s,
                series_limit: self.series_limit,
            },
            compat: self.options.has_compat.then(label),
        };
        draw(format, &now)
    }
}

/// Seconds since 1970.
fn now_s() -> f64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0.0, |since| since.as_secs_f64())
}

fn process() -> Option<Process> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    // SAFETY: sysconf has no pointer arguments.
    let value = |name| u64::try_from(unsafe { libc::sysconf(name) }).ok();
    Process::parse(&stat, value(libc::_SC_CLK_TCK)?, value(libc::_SC_PAGESIZE)?)
}
