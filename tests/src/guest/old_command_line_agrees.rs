//! Called `conntrack`, rsct says on this kernel what `conntrack` says.

use anyhow::Result;

use crate::native::conntrack_personality::small;

pub fn run() -> Result<()> {
    small()
}
