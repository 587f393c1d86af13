//! Called `nfct`, rsct behaves on this kernel as `nfct`.

use anyhow::Result;

use crate::native::{namespace::Namespace, nfct_personality::small};

pub fn run() -> Result<()> {
    // Every kernel of the matrix has helpers in user space: if both tools reported that it has none, the comparison
    // would prove nothing.
    Namespace::new("helpers")?.sh("nfct add helper tns inet tcp && nfct delete helper tns")?;
    small()
}
