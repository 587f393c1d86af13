//! This kernel finds entries of every protocol by the tuples that rsct writes.

use anyhow::Result;

use crate::native::{get_equals_conntrack::agree, table::broad};

pub fn run() -> Result<()> {
    agree(&broad()?)
}
