//! Lines of several hosts, in the order of the time of day. Each line names its host.

use std::{
    cell::RefCell,
    fmt,
    io::{self, Write},
    rc::Rc,
};

use crate::{
    observe::{Notice, Observation, Observer},
    timeouts::Defaults,
};

use super::{
    bytes,
    lines::Lines,
    notice,
    printed::{Form, Printer, mark_late},
};

/// The lines of all hosts.
pub(crate) struct Shared<W> {
    lines: Lines<W>,
    /// For each host, the time of day until which its lines are complete.
    settled_ns: Vec<u64>,
    count: u64,
    most: u64,
    error: Option<io::Error>,
}

impl<W> fmt::Debug for Shared<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

impl<W: Write> Shared<W> {
    /// Prints to `to`, at most this number of lines of observations.
    pub(crate) fn new(to: W, most: Option<u64>) -> Rc<RefCell<Self>> {
        Rc::new(RefCell::new(Self {
            lines: Lines::new(to),
            settled_ns: Vec::new(),
            count: 0,
            most: most.unwrap_or(u64::MAX),
            error: None,
        }))
    }

    /// Writes other whole lines after all lines so far.
    pub(crate) fn lines(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let written = self.lines.text(write);
        self.wrote(written);
    }

    /// Writes all lines that wait. Returns the error of the first failed write.
    pub(crate) fn finish(&mut self) -> Option<io::Error> {
        let settled = self.lines.settle(u64::MAX);
        self.wrote(settled);
        self.error.take()
    }

    /// Returns whether a write has failed.
    pub(crate) fn has_failed(&self) -> bool {
        self.error.is_some()
    }

    fn settle(&mut self, host: usize, until_ns: u64) {
        if let Some(settled_ns) = self.settled_ns.get_mut(host) {
            *settled_ns = until_ns;
        }
        let until_ns = self.settled_ns.iter().min().copied().unwrap_or(u64::MAX);
        if self.error.is_none() {
            let settled = self.lines.settle(until_ns);
            self.wrote(settled);
        }
    }

    fn wrote(&mut self, result: io::Result<()>) {
        if let Err(error) = result {
            self.error = Some(error);
        }
    }
}

/// A host, as its lines name it.
#[derive(Clone, Debug)]
pub(crate) struct Host {
    /// Its name. Several boots of a host have a number.
    pub name: String,
    /// The columns of the longest name.
    pub columns: usize,
    /// The form of the lines.
    pub form: Form,
}

impl Host {
    /// Appends lines, each with the host.
    pub(crate) fn name_lines(&self, out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
        let mut lines = Vec::new();
        write(&mut lines);
        for line in lines.split_inclusive(|byte| *byte == b'\n') {
            match (self.form, line.strip_suffix(b"}\n")) {
                (Form::Json, Some(object)) => {
                    out.extend_from_slice(object);
                    out.extend_from_slice(b",\"host\":\"");
                    bytes::json_text(out, self.name.as_bytes());
                    out.extend_from_slice(b"\"}\n");
                }
                (Form::Json, None) => out.extend_from_slice(line),
                (Form::Messages, _) => {
                    self.column(out, &self.name);
                    out.extend_from_slice(line);
                }
            }
        }
    }

    /// Appends the column of the host with another text, such as its title.
    pub(crate) fn column(&self, out: &mut Vec<u8>, text: &str) {
        out.extend_from_slice(text.as_bytes());
        bytes::spaces(out, self.columns.saturating_sub(text.chars().count()) + 1);
    }
}

/// Prints the observations of one host.
pub(crate) struct OfHost<P, W> {
    shared: Rc<RefCell<Shared<W>>>,
    number: usize,
    host: Host,
    realtime_offset_ns: i64,
    printer: P,
    explains: bool,
}

impl<P, W> fmt::Debug for OfHost<P, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OfHost")
            .field("host", &self.host)
            .finish_non_exhaustive()
    }
}

impl<P: Printer, W: Write> OfHost<P, W> {
    /// Adds a host to the shared lines, which has none before `begun_ns`.
    pub(crate) fn new(
        shared: &Rc<RefCell<Shared<W>>>,
        host: Host,
        realtime_offset_ns: i64,
        begun_ns: u64,
        printer: P,
    ) -> Self {
        let mut all = shared.borrow_mut();
        let number = all.settled_ns.len();
        // The lines of others before it need not wait for it.
        let begun_ns = begun_ns.saturating_add_signed(realtime_offset_ns);
        all.settled_ns.push(begun_ns);
        drop(all);
        Self {
            shared: Rc::clone(shared),
            number,
            host,
            realtime_offset_ns,
            printer,
            explains: true,
        }
    }

    /// Needs neither the sources of timeouts nor causes.
    pub(crate) fn without_explanations(mut self) -> Self {
        self.explains = false;
        self
    }

    fn time_of_day_ns(&self, time_ns: u64) -> u64 {
        time_ns.saturating_add_signed(self.realtime_offset_ns)
    }
}

impl<P: Printer, W: Write> Observer for OfHost<P, W> {
    fn observe(&mut self, observation: Observation<'_>) {
        if !self.explains {
            return;
        }
        let time_ns = self.time_of_day_ns(observation.time_ns());
        let Self {
            shared,
            host,
            printer,
            ..
        } = self;
        let mut shared = shared.borrow_mut();
        let is_json = host.form == Form::Json;
        let written = shared.lines.add(
            time_ns,
            |out| host.name_lines(out, |line| printer.print(line, observation)),
            |out| mark_late(out, is_json),
        );
        match written {
            Ok(written) => shared.count += u64::from(written),
            Err(error) => shared.error = Some(error),
        }
    }

    fn notice(&mut self, notice: &Notice) {
        let host = &self.host;
        match host.form {
            Form::Json => {
                let mut shared = self.shared.borrow_mut();
                shared.lines(|out| host.name_lines(out, |line| notice::json(line, notice)));
            }
            Form::Messages => notice::message_of(Some(&host.name), notice),
        }
    }

    fn defaults(&mut self, netns: u32, defaults: &Defaults) {
        self.printer.defaults(netns, defaults);
    }

    fn settled(&mut self, until_ns: u64) {
        let until_ns = self.time_of_day_ns(until_ns);
        self.shared.borrow_mut().settle(self.number, until_ns);
    }

    fn is_over(&self) -> bool {
        let shared = self.shared.borrow();
        shared.count >= shared.most || shared.error.is_some()
    }

    fn has_failed(&self) -> bool {
        self.shared.borrow().error.is_some()
    }

    fn explains(&self) -> bool {
        self.explains
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_names_its_host() {
        let lines = |form, text: &str| {
            let host = Host {
                name: "a\"b".to_owned(),
                columns: 5,
                form,
            };
            let mut out = Vec::new();
            host.name_lines(&mut out, |out| out.extend_from_slice(text.as_bytes()));
            String::from_utf8(out).unwrap()
        };
        assert_eq!(
            lines(Form::Json, "{\"a\":1}\n{\"b\":2}\n"),
            "{\"a\":1,\"host\":\"a\\\"b\"}\n{\"b\":2,\"host\":\"a\\\"b\"}\n"
        );
        assert_eq!(lines(Form::Messages, "x\ny\n"), "a\"b   x\na\"b   y\n");
        assert_eq!(lines(Form::Json, ""), "");
    }

    #[test]
    fn lines_of_hosts_wait_for_each_other() {
        let shared = Shared::new(Vec::new(), None);
        shared.borrow_mut().settled_ns = vec![0, 0];
        let add = |time_ns: u64| {
            let write = |out: &mut Vec<u8>| out.extend_from_slice(format!("{time_ns}\n").as_bytes());
            shared.borrow_mut().lines.add(time_ns, write, |_| {}).unwrap();
        };
        add(20);
        shared.borrow_mut().settle(0, 30);
        add(10);
        shared.borrow_mut().settle(1, 15);
        add(16);
        assert!(shared.borrow_mut().finish().is_none());
        let shared = Rc::try_unwrap(shared).unwrap().into_inner();
        assert_eq!(shared.lines.into_inner(), b"10\n16\n20\n");
    }
}
