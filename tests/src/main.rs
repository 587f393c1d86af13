//! Stories told to rsct on real kernels with real packets.

fn main() {}
