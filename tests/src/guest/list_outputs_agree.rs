//! This kernel's entries look as `conntrack` shows them, in every form that both have.

use anyhow::Result;

use crate::native::{list_outputs_as_conntrack::agree, table::broad};

pub fn run() -> Result<()> {
    agree(&broad()?)
}
