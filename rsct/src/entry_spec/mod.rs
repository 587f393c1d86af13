//! One entry as options describe it, to create, change or delete it.
//!
//! The options are conntrack's. They are read from the command line ([`crate::cli`]) or from the lines of a file
//! ([`crate::load`]), collected in a [`Spec`], and converted into a request, a
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

pub(crate) use error::SpecError;
pub(crate) use labels::LabelBits;
pub(crate) use option::Opt;
pub(crate) use spec::Spec;
