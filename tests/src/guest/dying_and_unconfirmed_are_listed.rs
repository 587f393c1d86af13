//! The lists of dying and unconfirmed entries, mostly empty, on this kernel.

use anyhow::Result;

use crate::native::dying_are_listed;

pub fn run() -> Result<()> {
    dying_are_listed::run()
}
