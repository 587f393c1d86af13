//! Every command line in README, docs and the other pages runs, and prints what its page shows.

pub use crate::docs::run;
