//! Where timeouts come from: what packets gave their entries, and what the entries of a dump have.

mod known;
mod listing;
mod namespace;

pub use known::{Known, sight};
pub use listing::{Listing, ListingError};
pub use namespace::defaults;
