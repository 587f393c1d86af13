//! This kernel filters as rsct expects of it: what a filter means does not depend on who looks at it.

use anyhow::Result;

use crate::native::list_filters_as_conntrack;

pub fn run() -> Result<()> {
    list_filters_as_conntrack::run()
}
