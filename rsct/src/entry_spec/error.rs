//! Errors in the options of an entry.

use std::fmt::Write as _;

use thiserror::Error;

use super::Opt;
use crate::names::proto;

/// Error in the options of an entry.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum SpecError {
    /// The value is not valid.
    #[error("--{} {value:?}: {expected}", .option.name())]
    Value {
        /// The option.
        option: Opt,
        /// The typed text.
        value: String,
        /// A description of valid values.
        expected: &'static str,
    },
    /// An option occurs twice.
    #[error("--{} is given twice", .0.name())]
    Twice(Opt),
    /// The protocol does not have the option.
    #[error("--{}: not valid for {}", .option.name(), protocol(*.protonum))]
    NotOfProtocol {
        /// The option.
        option: Opt,
        /// The protocol's number.
        protonum: u8,
    },
    /// The protocol does not have this state or type.
    #[error("--{} {value}: {} has {has}", .option.name(), protocol(*.protonum))]
    NotAmong {
        /// The option.
        option: Opt,
        /// The typed text.
        value: String,
        /// The protocol's number.
        protonum: u8,
        /// The protocol's values.
        has: String,
    },
    /// Required options are missing.
    #[error("{what} also needs {}", list(.missing))]
    Missing {
        /// The entry or protocol that requires them.
        what: String,
        /// The missing options.
        missing: Vec<Opt>,
    },
    /// Addresses of two families.
    #[error("--{} is {is}, but --{} is {other_is}: an entry has one address family", .option.name(), .other.name())]
    Families {
        /// One option.
        option: Opt,
        /// Its family.
        is: &'static str,
        /// The other option.
        other: Opt,
        /// Its family.
        other_is: &'static str,
    },
    /// Two options that exclude each other.
    #[error("--{} and --{}: {why}", .option.name(), .other.name())]
    Together {
        /// One option.
        option: Opt,
        /// The other option.
        other: Opt,
        /// The reason why they exclude each other.
        why: &'static str,
    },
    /// An option that this operation does not support.
    #[error("--{}: {why}", .option.name())]
    NotHere {
        /// The option.
        option: Opt,
        /// The reason.
        why: &'static str,
    },
}

/// A protocol's name, or its number.
pub(super) fn protocol(protonum: u8) -> String {
    match proto::name(protonum) {
        Some(name) => name.to_owned(),
        None => format!("protocol {protonum}"),
    }
}

fn list(options: &[Opt]) -> String {
    let mut list = String::new();
    for (index, option) in options.iter().enumerate() {
        let between = match index {
            0 => "",
            _ if index + 1 == options.len() => " and ",
            _ => ", ",
        };
        // Writing to a String can't fail.
        let _ = write!(list, "{between}--{}", option.name());
    }
    list
}
