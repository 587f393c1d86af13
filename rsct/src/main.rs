//! The `rsct` command.

fn main() {}
