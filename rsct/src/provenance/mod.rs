//! Sources of timeouts: of those that packets set, and of those that dumped entries have.

mod known;
mod listing;
mod namespace;

pub use known::{KnownTimeouts, sight};
pub use listing::{Listing, ListingError};
pub use namespace::defaults;
