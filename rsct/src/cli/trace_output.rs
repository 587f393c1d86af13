//! The lines of `rsct trace`, of one source or of several hosts.

use super::trace::{Subject, TraceArgs, TraceFormat};
use crate::{
    observe::{Model, Summary},
    plural,
    render::{
        known,
        printed::{Form, NoLines, OnlyTimeouts, Printer},
        timeout_history::TimeoutHistory,
        trace_json::TraceJson,
        trace_summary,
        trace_text::{Look, TraceText},
    },
    schema::{self, Command},
};

/// The lines of a stream, and those before the first.
pub(super) fn printer(
    args: &TraceArgs,
    subject: Subject,
    look: Look,
    begin: &mut Vec<u8>,
) -> (Box<dyn Printer>, Form) {
    match (args.output.format, subject) {
        (TraceFormat::Text, Subject::Timeouts) => {
            (Box::new(OnlyTimeouts(TimeoutHistory::new(look))), Form::Messages)
        }
        (TraceFormat::Text, Subject::Everything) => {
            let text = TraceText::new(look);
            text.header(begin);
            (Box::new(text), Form::Messages)
        }
        // `rsct timeout why` has printed the first line and entries before.
        (TraceFormat::Json, Subject::Timeouts) => {
            (Box::new(OnlyTimeouts(TraceJson::new(look.ticks))), Form::Json)
        }
        (TraceFormat::Json, Subject::Everything) => {
            schema::begin(begin, Command::Trace);
            (Box::new(TraceJson::new(look.ticks)), Form::Json)
        }
        (TraceFormat::None, _) => (Box::new(NoLines), Form::Messages),
    }
}

/// Appends the differences, the table and the summary as far as they are wanted.
pub(super) fn closing(out: &mut Vec<u8>, args: &TraceArgs, is_json: bool, model: &Model, summary: &Summary) {
    let now_ns = model.now_ns();
    if args.differences {
        let differences = &model.table.reconciliation().differences;
        for difference in differences.kept() {
            known::difference(out, is_json, difference, now_ns);
        }
        if differences.unkept() != 0 {
            message!(
                "{} more were found than --differences lists; the summary counts all",
                plural::count(differences.unkept() as u64, "difference", "differences")
            );
        }
    }
    if args.table {
        known::table(out, is_json, &model.table, now_ns);
    }
    if is_json {
        trace_summary::json(summary, out);
    }
}
