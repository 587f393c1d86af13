//! The two tables that hold no entries most of the time, on this kernel.

use anyhow::Result;

use crate::native::dying_are_listed;

pub fn run() -> Result<()> {
    dying_are_listed::run()
}
