//! Builds, runs and tests rsct.

fn main() {}
