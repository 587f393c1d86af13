//! The trace for people: one line for each observation.
//!
//! A line of the default layout fits `COLUMNS` for IPv4; [`Style::wide`] adds columns and wording.

mod columns;
mod direction;
mod entry;
mod look;
mod packet;
mod sequence;
#[cfg(test)]
mod tests;

use rsct_common::record::EntryKind;

use crate::observe::Observation;

use super::{trace_why, words};
use direction::Direction;
pub(crate) use look::{Look, Style};
use sequence::Sequences;

/// Columns of a terminal that the default layout aims at.
const COLUMNS: usize = 120;

/// Writes a line for each observation.
#[derive(Debug)]
pub(crate) struct TraceText {
    look: Look,
    sequences: Sequences,
}

impl TraceText {
    /// Lines that look like this.
    pub(crate) fn new(look: Look) -> Self {
        Self {
            look,
            sequences: Sequences::default(),
        }
    }

    /// Appends the column titles.
    pub(crate) fn header(&self, out: &mut Vec<u8>) {
        self.look.header(out);
    }

    /// Appends the line for one observation.
    pub(crate) fn line(&mut self, out: &mut Vec<u8>, observation: Observation<'_>) {
        let look = &self.look;
        let line = out.len();
        match observation {
            Observation::Packet(record, flow, source, reason) => {
                let direction = Direction::of(record, reason.known());
                let numbers = record.has_tcp().then(|| self.sequences.of(record, direction));
                look.packet_columns(out, record, flow, direction);
                if look.style.wide {
                    look.packet_wide(out, record, source.as_ref(), numbers, reason);
                } else {
                    look.packet(out, record, source.as_ref(), numbers, reason.known());
                    clip(out, line, |out| packet::explain(out, reason));
                }
            }
            Observation::Entry(record, flow, why) => {
                if record.what == EntryKind::Destroy as u8 {
                    self.sequences.forget(record.ct);
                }
                look.entry_columns(out, record, flow);
                if look.style.wide {
                    look.entry_wide(out, record);
                    words::zone(out, record.zone);
                    trace_why::text(out, why);
                } else {
                    look.entry(out, record, why);
                    words::zone(out, record.zone);
                }
            }
            Observation::Cause(why) => {
                look.cause_columns(out, why);
                if look.style.wide {
                    look.cause_wide(out, why);
                } else {
                    look.cause(out, why);
                    clip(out, line, |out| entry::explain(out, why));
                }
            }
        }
        out.push(b'\n');
    }
}

/// Appends prose to the line that begins at `line`, cut off with `…` at [`COLUMNS`]; nothing if only a few columns are left.
fn clip(out: &mut Vec<u8>, line: usize, write: impl FnOnce(&mut Vec<u8>)) {
    /// Fewer columns explain nothing.
    const LEAST: usize = 10;
    let start = out.len();
    write(out);
    if out.len() == start {
        return;
    }
    let left = COLUMNS.saturating_sub(width(&out[line..start]));
    if width(&out[start..]) <= left {
        return;
    }
    if left < LEAST {
        return out.truncate(start);
    }
    let is_start = |byte: u8| byte & 0xc0 != 0x80;
    let mut starts = (start..out.len()).filter(|at| is_start(out[*at]));
    let end = starts.nth(left - 1).unwrap_or(out.len());
    out.truncate(end);
    out.extend_from_slice("…".as_bytes());
}

/// Columns of a text on a terminal: characters without colours.
fn width(text: &[u8]) -> usize {
    let mut is_color = false;
    let mut columns = 0;
    for &byte in text {
        match byte {
            0x1b => is_color = true,
            b'm' if is_color => is_color = false,
            _ if is_color || byte & 0xc0 == 0x80 => {}
            _ => columns += 1,
        }
    }
    columns
}
