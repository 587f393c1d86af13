//! Sources of timeouts: of those that packets set, and of those that dumped entries have.

mod known;
mod listing;
mod namespace;

pub(crate) use known::{KnownTimeouts, sight};
pub(crate) use listing::{Listing, ListingError};
pub(crate) use namespace::find_out;
