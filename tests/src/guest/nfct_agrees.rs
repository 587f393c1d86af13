//! Called `nfct`, rsct says and does on this kernel what `nfct` says and does.

use anyhow::Result;

use crate::native::nfct_personality::small;

pub fn run() -> Result<()> {
    small()
}
