//! Output formats: each is a function over shared types; nothing here reads a socket.

pub mod bytes;
pub mod color;
pub mod conntrack_line;
pub mod date;
pub mod doctor;
pub mod entry;
pub mod event_line;
pub mod expect;
pub mod expect_json;
pub mod expect_line;
pub mod expect_xml;
pub mod expiring;
pub mod fill;
pub mod json;
pub mod known;
pub mod latency;
pub mod latency_json;
pub mod namespace;
pub mod nfct;
pub mod policies;
pub mod rules;
#[cfg(test)]
pub(crate) mod samples;
pub mod save;
pub mod stats;
pub mod sysctls;
#[cfg(test)]
mod tests;
pub mod timeout_history;
pub mod timeout_source;
pub mod timeouts;
pub mod trace_json;
pub mod trace_text;
pub mod trace_why;
pub mod watch_json;
pub mod what_if;
pub mod why;
mod why_details;
mod why_details_json;
pub mod why_flow;
pub mod why_json;
pub mod why_unreplied;
mod why_unreplied_json;
pub mod wide;
pub mod words;
pub mod xml;
mod zone;
