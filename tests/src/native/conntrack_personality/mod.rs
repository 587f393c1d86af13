//! rsct called `conntrack` behaves as `conntrack`: both run the same command lines, on the same table or on tables
//! filled alike, and their output and exit codes are compared.

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
