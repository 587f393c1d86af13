//! Sources of inputs: the running kernel.

pub(crate) mod live;
