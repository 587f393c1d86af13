//! rsct reads this kernel's counts and counters as `conntrack` does.

use anyhow::Result;

use crate::native::{count_and_stats_as_conntrack::agree, namespace::Namespace};

pub fn run() -> Result<()> {
    agree(&Namespace::new("count")?)
}
