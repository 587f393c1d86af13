//! The native scenario on this kernel, whether it can delete by a filter or not.

use anyhow::Result;

use crate::native::delete_at_once;

pub fn run() -> Result<()> {
    delete_at_once::run()
}
