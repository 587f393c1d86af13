//! Figures at each interval: to a screen, or as lines.

use std::{
    io::{self, Write},
    rc::Rc,
    thread,
    time::{Duration, Instant},
};

use super::terminal::{Screen, Wish};
use crate::{
    flow::TupleKey,
    kernel::interfaces::Names,
    observe::{Consumer, Fact, Input, Want},
    plural,
    render::top,
    schema::{self, Command},
    snapshot::{Collector, Snapshot},
};

/// A screen reads keys this often.
const KEYS_EVERY: Duration = Duration::from_millis(50);

/// Where the figures go.
pub(super) enum Sink {
    /// A screen.
    Screen(Box<Screen>),
    /// Text or JSON.
    Lines(Lines),
}

/// Text or JSON on a stream.
pub(super) struct Lines {
    out: Box<dyn Write>,
    is_json: bool,
    buffer: Vec<u8>,
}

impl Lines {
    /// Tables.
    pub(super) fn text(out: impl Write + 'static) -> Self {
        Self {
            out: Box::new(out),
            is_json: false,
            buffer: Vec::new(),
        }
    }

    /// Objects, after the line that names their schema.
    pub(super) fn json(out: impl Write + 'static) -> Self {
        let mut buffer = Vec::new();
        schema::begin(&mut buffer, Command::Top);
        Self {
            out: Box::new(out),
            is_json: true,
            buffer,
        }
    }

    fn write(&mut self, now: &Snapshot, earlier: &Snapshot, names: &Names) -> io::Result<()> {
        let interval = now.since(earlier);
        match self.is_json {
            true => top::json(&mut self.buffer, &interval, names),
            false => top::text::write(&mut self.buffer, &interval, names),
        }
        self.flush()
    }

    fn flush(&mut self) -> io::Result<()> {
        let written = self.out.write_all(&self.buffer).and_then(|()| self.out.flush());
        self.buffer.clear();
        written
    }
}

/// Collects figures, and shows those of each interval.
pub(super) struct Figures {
    collector: Collector,
    names: Names,
    interval_ns: u64,
    sink: Sink,
    /// The intervals that are still to be shown; none without a limit.
    left: Option<u64>,
    /// The times as fast as recorded; none if nothing waits.
    speed: Option<f64>,
    /// When the replay began, here and in the recording.
    begun: Option<(Instant, u64)>,
    earlier: Rc<Snapshot>,
    next_ns: u64,
    keys_read: Instant,
    now_ns: u64,
    ends: bool,
    error: Option<io::Error>,
}

impl Figures {
    /// Has seen nothing yet.
    pub(super) fn new(
        collector: Collector,
        names: Names,
        interval: Duration,
        sink: Sink,
        count: Option<u64>,
        speed: Option<f64>,
    ) -> Self {
        let interval_ns = u64::try_from(interval.as_nanos()).unwrap_or(u64::MAX);
        let started_ns = collector.started_ns();
        Self {
            collector,
            names,
            interval_ns,
            sink,
            left: count,
            speed,
            begun: None,
            earlier: Rc::new(Snapshot {
                time_ns: started_ns,
                ..Snapshot::default()
            }),
            next_ns: started_ns.saturating_add(interval_ns),
            keys_read: Instant::now(),
            now_ns: 0,
            ends: false,
            error: None,
        }
    }

    /// Restores the terminal and reports lost records. Returns the error that ended it.
    pub(super) fn finish(mut self) -> Option<io::Error> {
        if let Sink::Lines(lines) = &mut self.sink
            && let Err(error) = lines.flush()
        {
            self.error.get_or_insert(error);
        }
        drop(self.sink);
        let lost = self.collector.totals().lost;
        message!("{} lost", plural::count(lost, "record", "records"));
        self.error
    }

    fn pass_on_notices(&mut self) {
        for notice in self.collector.notices() {
            match &mut self.sink {
                Sink::Lines(lines) if lines.is_json => {
                    top::notice_json(&mut lines.buffer, &notice);
                    if let Err(error) = lines.flush() {
                        self.error = Some(error);
                    }
                }
                Sink::Lines(_) | Sink::Screen(_) => top::notice_message(&notice),
            }
        }
    }

    /// The time has come to this.
    fn settled(&mut self, now_ns: u64) {
        self.now_ns = now_ns;
        self.wait(now_ns);
        if now_ns >= self.next_ns {
            self.show(now_ns);
            self.next_ns = now_ns.saturating_add(self.interval_ns);
        }
        self.read_keys();
    }

    /// Waits until the recording's time has come, at the requested speed.
    fn wait(&mut self, now_ns: u64) {
        let Some(speed) = self.speed else { return };
        let (begun, begun_ns) = *self.begun.get_or_insert((Instant::now(), now_ns));
        let due = Duration::from_nanos(now_ns.saturating_sub(begun_ns)).div_f64(speed);
        while begun.elapsed() < due && !self.ends {
            thread::sleep((due - begun.elapsed().min(due)).min(KEYS_EVERY));
            self.read_keys();
        }
    }

    fn show(&mut self, now_ns: u64) {
        let now = Rc::new(self.collector.snapshot(now_ns));
        let shown = match &mut self.sink {
            Sink::Screen(screen) => screen.show(&now, &self.earlier, &self.names, &self.collector),
            Sink::Lines(lines) => lines.write(&now, &self.earlier, &self.names),
        };
        if let Err(error) = shown {
            self.error = Some(error);
        }
        self.earlier = now;
        if let Some(left) = &mut self.left {
            *left -= 1;
            self.ends |= *left == 0;
        }
    }

    fn read_keys(&mut self) {
        let Sink::Screen(screen) = &mut self.sink else {
            return;
        };
        if self.keys_read.elapsed() < KEYS_EVERY {
            return;
        }
        self.keys_read = Instant::now();
        match screen.read_keys(&self.names, &self.collector) {
            Ok(Wish::Continue) => {}
            Ok(Wish::End) => self.ends = true,
            Err(error) => self.error = Some(error),
        }
    }
}

impl Consumer for Figures {
    #[inline]
    fn take(&mut self, input: Input<'_>) {
        if let Input::Fact(Fact::Names(names)) = input {
            self.names.extend(names);
        }
        self.collector.take(input);
        match input {
            Input::Notice(_) | Input::DumpEnds { .. } => self.pass_on_notices(),
            Input::Settled { now_ns } => self.settled(now_ns),
            Input::Ended(_) | Input::Cut { .. } => {
                // The last interval is shorter.
                let has_lost = self.collector.totals().lost != self.earlier.totals.lost;
                if !self.is_over() && (self.now_ns > self.earlier.time_ns || has_lost) {
                    self.show(self.now_ns);
                }
                if let Sink::Screen(screen) = &mut self.sink
                    && self.speed.is_some()
                    && !self.ends
                    && let Err(error) = screen.stay(&self.names, &self.collector)
                {
                    self.error = Some(error);
                }
            }
            _ => {}
        }
    }

    fn is_over(&self) -> bool {
        self.ends || self.error.is_some()
    }

    fn has_failed(&self) -> bool {
        self.error.is_some()
    }

    fn lacks(&mut self) -> Option<Want> {
        None
    }

    fn lacks_entry(&mut self) -> Option<TupleKey> {
        match &mut self.sink {
            Sink::Screen(screen) => screen.lacks_entry(),
            Sink::Lines(_) => None,
        }
    }

    fn wants_counts(&self) -> bool {
        true
    }

    fn wants_causes(&self) -> bool {
        match &self.sink {
            Sink::Screen(screen) => screen.needs_causes(),
            Sink::Lines(_) => true,
        }
    }
}
