//! Facts about an entry that its formats share.

use std::time::Duration;

use crate::{
    kernel::netns::NetnsName,
    render::event_line::{Event, Requester},
    timeouts::TimeoutSource,
};

/// Facts about an entry that it does not contain.
#[derive(Clone, Copy, Debug, Default)]
pub struct About<'a> {
    /// The time since the epoch, see `now`.
    pub now: Duration,
    /// Its network namespace, if that is printed.
    pub netns: Option<&'a NetnsName>,
    /// The event.
    pub event: Option<Event>,
    /// The program that requested the event.
    pub requester: Option<Requester<'a>>,
    /// The source of its timeout; wide and JSON print it.
    pub timeout_source: Option<&'a TimeoutSource<'a>>,
}
