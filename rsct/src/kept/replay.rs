//! Replays of a kept recording.

use std::{cell::RefCell, io, rc::Rc};

use super::path;
use crate::{
    observe::{Joined, Model, Selection},
    render::{
        color::Palette,
        printed::{Form, Printed, Printer},
        trace_text::{Look, Style},
    },
    source::recorded::{FileError, Files, Start, Window},
};

/// A writer that can be read later.
#[derive(Clone, Debug, Default)]
pub(super) struct Shared(Rc<RefCell<Vec<u8>>>);

impl io::Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Shared {
    pub(super) fn text(&self) -> String {
        String::from_utf8(self.0.borrow().clone()).unwrap()
    }
}

/// A trace of a recording.
pub(super) struct Trace<P> {
    /// The lines of the printer.
    pub(super) lines: String,
    /// The model at the end.
    pub(super) model: Model,
    /// The printer at the end.
    pub(super) printer: P,
}

/// Opens a recording.
pub(super) fn open(name: &str) -> (Files, Start) {
    let files = Files::open(&[path(name, "rsct")]).unwrap();
    let start = files.start().unwrap().clone();
    (files, start)
}

/// The layout of lines without colours.
pub(super) fn look(start: &Start) -> Look {
    Look {
        ticks: start.setup.hz,
        start_ns: start.setup.started_ns,
        show_netns: false,
        style: Style::default(),
        palette: Palette::PLAIN,
        names: start.names.clone(),
    }
}

/// Replays a recording into a printer.
pub(super) fn trace<P: Printer>(name: &str, printer: impl FnOnce(Look) -> P, is_json: bool) -> Trace<P> {
    let (files, start) = open(name);
    trace_of(files, printer(look(&start)), is_json).unwrap()
}

/// Replays files into a printer.
pub(super) fn trace_of<P: Printer>(
    mut files: Files,
    printer: P,
    is_json: bool,
) -> Result<Trace<P>, FileError> {
    let form = match is_json {
        true => Form::Json,
        false => Form::Messages,
    };
    let out = Shared::default();
    let setup = files.start().unwrap().setup.clone();
    let mut joined = Joined {
        model: Model::new(&setup, Selection::default()),
        observer: Printed::new(printer, form, out.clone()),
    };
    files.run(&mut joined, Window::default())?;
    let Joined { model, mut observer } = joined;
    assert!(observer.finish().is_none());
    Ok(Trace {
        lines: out.text(),
        model,
        printer: observer.printer,
    })
}
