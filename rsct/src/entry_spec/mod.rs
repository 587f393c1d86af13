//! One entry as options describe it: what to make, which one to change or to delete.
//!
//! The options are conntrack's. They come from the command line ([`crate::cli`]) or from the lines of a file
//! ([`crate::load`]), go into a [`Spec`] one by one, and come out as what the kernel takes, a
//! [`Change`](crate::netlink::conntrack::Change).

mod change;
mod error;
mod labels;
mod option;
mod spec;
#[cfg(test)]
mod tests;
mod tuples;
mod value;

pub use error::SpecError;
pub use labels::LabelBits;
pub use option::Opt;
pub use spec::Spec;
