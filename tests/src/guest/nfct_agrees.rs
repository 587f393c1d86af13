//! Called `nfct`, rsct says and does on this kernel what `nfct` says and does.

use anyhow::Result;

use crate::native::{namespace::Namespace, nfct_personality::small};

pub fn run() -> Result<()> {
    // Every kernel of the matrix has helpers in user space: two that say they have none would prove nothing.
    Namespace::new("helpers")?.sh("nfct add helper tns inet tcp && nfct delete helper tns")?;
    small()
}
