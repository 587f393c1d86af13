//! Timeout policies on this kernel.

use anyhow::Result;

use crate::native::{namespace::Namespace, policies::agree};

pub fn run() -> Result<()> {
    agree(&Namespace::new("policies")?)
}
