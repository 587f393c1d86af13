//! Called `conntrack`, rsct prints on this kernel the same as `conntrack`.

use anyhow::Result;

use crate::native::conntrack_personality::small;

pub fn run() -> Result<()> {
    small()
}
