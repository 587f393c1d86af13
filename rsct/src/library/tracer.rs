//! Traces of the running kernel.

use std::time::Duration;

use crate::{
    kernel::{clock, netns::Selector},
    observe::Selection,
    probe::session::Form,
    source::{
        Source,
        live::{Limits, LiveOptions},
    },
    waiting,
};

use super::{Filter, Observer, Summary, TraceError, error::Failure, observer};

/// Size of the ring buffer.
const RING_BYTES: u32 = 4 << 20;

/// Traces the running kernel, as `rsct trace` does. Needs root, or the capabilities that `rsct doctor` lists.
///
/// ```no_run
/// use std::time::Duration;
/// use rsct::{Filter, Observation, Observer, Tracer};
///
/// struct Print;
///
/// impl Observer for Print {
///     fn observe(&mut self, observation: &Observation<'_>) {
///         if let Observation::Packet(packet) = observation {
///             println!("{} {}", packet.tuple(), packet.outcome().name());
///         }
///     }
/// }
///
/// let filter = Filter::builder().proto("tcp").dport(443).build()?;
/// let tracer = Tracer::new().filter(filter).duration(Duration::from_secs(10));
/// let summary = tracer.run(&mut Print)?;
/// println!("{} packets, {} records lost", summary.packets(), summary.lost());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Tracer {
    filter: Filter,
    netns: Selector,
    duration: Option<Duration>,
    with_causes: bool,
}

impl Default for Tracer {
    fn default() -> Self {
        Self {
            filter: Filter::default(),
            netns: Selector::Current,
            duration: None,
            with_causes: true,
        }
    }
}

impl Tracer {
    /// Traces all flows of the current network namespace, with causes, until SIGINT or SIGTERM.
    pub fn new() -> Self {
        Self::default()
    }

    /// Traces only flows that match.
    #[must_use]
    pub fn filter(mut self, filter: Filter) -> Self {
        self.filter = filter;
        self
    }

    /// Traces another network namespace: a path, a name under /run/netns, a process id or an inode number; or all of them
    /// with `all`.
    #[must_use]
    pub fn netns(mut self, netns: &str) -> Self {
        self.netns = Selector::from_option(Some(netns));
        self
    }

    /// Ends after this time.
    #[must_use]
    pub fn duration(mut self, duration: Duration) -> Self {
        self.duration = Some(duration);
        self
    }

    /// Attaches the hooks that report causes, or does not: without them, a trace attaches about 25 hooks fewer.
    #[must_use]
    pub fn causes(mut self, causes: bool) -> Self {
        self.with_causes = causes;
        self
    }

    /// Attaches eBPF programs, and passes what conntrack does to the observer, until the duration ends, the observer needs
    /// no more, or the process receives SIGINT or SIGTERM: a trace handles these signals, also after its end.
    ///
    /// Blocks this thread; must not be called inside an event loop of tokio. Hooks that are not attached are reported on
    /// standard error.
    pub fn run(&self, observer: &mut impl Observer) -> Result<Summary, TraceError> {
        let filter = self.filter.as_inner();
        if let Some(condition) = filter.details.unknown_to_records() {
            return Err(Failure::Condition(condition).into());
        }
        waiting::event_loop()?.block_on(async {
            let source = Source::live(LiveOptions {
                filter: *filter,
                netns: self.netns.clone(),
                everywhere: false,
                form: Form::Best,
                ring_bytes: RING_BYTES,
                with_refresh: filter.is_empty(),
                with_causes: self.with_causes,
                log_bpf: false,
                reports_early: false,
                show_hooks: false,
            })?;
            let limits = Limits {
                duration: self.duration,
            };
            let offset_ns = clock::realtime_offset_ns();
            Ok(observer::run(source, Selection::live(filter), offset_ns, limits, observer).await?)
        })
    }
}
