//! rsct called `conntrack` says and does what `conntrack` says and does: both are given the same command lines, on the
//! same table or on tables filled alike, and what they print and their exit codes are held against each other.

mod changes;
mod deviations;
mod events;
mod lab;
mod load;
mod normal;
mod reads;
mod surroundings;
mod time_zones;
mod wrong;

use super::grid;

pub use changes::run as changes;
pub use deviations::run as deviations;
pub use events::run as events;
pub use load::run as load;
pub use reads::{run as reads, small};
pub use surroundings::run as surroundings;
pub use time_zones::run as time_zones;
pub use wrong::run as wrong;
