//! A page about a recording: sections of sentences, facts, charts and tables, as HTML, Markdown or text.

mod chart;
mod document;
mod html;
mod plain;

pub(crate) use document::document;
pub(crate) use html::write as html;
pub(crate) use plain::{markdown, text};
