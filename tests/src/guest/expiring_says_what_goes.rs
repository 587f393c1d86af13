//! The entries that expire next in this kernel's table.

use anyhow::Result;

use crate::native::{expiring::agree, namespace::Namespace};

pub fn run() -> Result<()> {
    agree(&Namespace::new("expiring")?)
}
