//! What the running kernel says of itself: types, symbols, namespaces, ticks.

pub mod btf;
