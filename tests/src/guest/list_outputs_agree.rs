//! rsct prints this kernel's entries as `conntrack` does, in every form that both have.

use anyhow::Result;

use crate::native::{list_outputs_as_conntrack::agree, table::broad};

pub fn run() -> Result<()> {
    agree(&broad()?)
}
