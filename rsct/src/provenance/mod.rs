//! Where timeouts come from: what packets gave their entries, and what the entries of a dump have.

mod known;
mod listing;

pub use known::{Known, defaults, sight};
pub use listing::{Listing, ListingError};
