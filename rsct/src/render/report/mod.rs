//! Pages about recordings: sections of sentences, figures, charts and tables, as HTML, Markdown or text.

#[cfg(test)]
mod bounds;
mod chart;
mod comparison;
mod document;
mod html;
mod page;
mod plain;
mod recorded;
mod tables;

pub(crate) use comparison::{Side, comparison};
pub(crate) use html::write as html;
pub(crate) use page::document;
pub(crate) use plain::{markdown, text};
