//! This kernel filters as rsct expects: a filter matches the same entries whether the kernel or rsct checks it.

use anyhow::Result;

use crate::native::list_filters_as_conntrack;

pub fn run() -> Result<()> {
    list_filters_as_conntrack::run()
}
