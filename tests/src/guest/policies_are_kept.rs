//! This kernel's timeout policies.

use anyhow::Result;

use crate::native::{namespace::Namespace, policies::agree};

pub fn run() -> Result<()> {
    agree(&Namespace::new("policies")?)
}
