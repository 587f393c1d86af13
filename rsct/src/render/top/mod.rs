//! The figures of an interval: as panes of a screen, as text, as JSON.

mod json;
pub(crate) mod opened;
mod overview;
pub(crate) mod pane;
mod parts;
pub(crate) mod screen;
pub(crate) mod table;
pub(crate) mod text;

pub(crate) use json::write as json;

pub(crate) use super::notice::{json as notice_json, message as notice_message};
