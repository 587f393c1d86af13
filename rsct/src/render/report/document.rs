//! The contents of a page, independent of its form.

use super::chart::Chart;
use crate::{
    render::top::{pane::printable, table::Table},
    report::Finding,
};

/// The most characters of a text that others chose, such as the recorder's arguments.
const LONGEST: usize = 500;

/// The page.
#[derive(Debug)]
pub(crate) struct Document {
    /// Its title.
    pub title: String,
    /// The line below.
    pub subtitle: String,
    /// Its sections.
    pub sections: Vec<Section>,
}

/// A section.
#[derive(Debug)]
pub(crate) struct Section {
    /// Its heading.
    pub heading: &'static str,
    /// Its contents.
    pub blocks: Vec<Block>,
}

/// A part of a section.
#[derive(Debug)]
pub(crate) enum Block {
    /// Findings, worst first.
    Findings(Vec<Finding>),
    /// The most important figures.
    Figures(Vec<(String, String)>),
    /// Charts.
    Charts(Vec<Chart>),
    /// A table with a caption.
    Table(String, Table),
    /// Causes with their meaning, advice and examples.
    Causes(Vec<CauseCard>),
    /// A sentence.
    Text(String),
    /// Names and values, with a caption that may be empty.
    Facts(String, Vec<(String, String)>),
}

/// A cause.
#[derive(Debug)]
pub(crate) struct CauseCard {
    /// Its name.
    pub name: &'static str,
    /// The name of its family.
    pub topic: &'static str,
    /// How often it occurred, and for how many flows.
    pub count: String,
    /// Its meaning, as a sentence.
    pub meaning: String,
    /// Advice, as a sentence; none for an ordinary cause.
    pub advice: Option<String>,
    /// The flows with the most occurrences.
    pub examples: Vec<String>,
}

/// Text without control characters, and not longer than a page can take.
pub(super) fn shown(text: &str) -> String {
    let text = printable(text);
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}
