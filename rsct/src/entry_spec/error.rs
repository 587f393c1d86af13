//! Why options describe no entry.

use std::fmt::Write as _;

use thiserror::Error;

use super::Opt;
use crate::flow::names::proto;

/// Why options describe no entry.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum SpecError {
    /// A value can't be read.
    #[error("--{} {value:?}: {expected}", .option.name())]
    Value {
        /// The option.
        option: Opt,
        /// What was typed.
        value: String,
        /// What belongs there.
        expected: &'static str,
    },
    /// An option is there twice.
    #[error("--{} is given twice", .0.name())]
    Twice(Opt),
    /// An option means nothing for the protocol.
    #[error("--{}: {} has no such thing", .option.name(), protocol(*.protonum))]
    NotOfProtocol {
        /// The option.
        option: Opt,
        /// The protocol's number.
        protonum: u8,
    },
    /// A state or type that the protocol has not.
    #[error("--{} {value}: {} has {has}", .option.name(), protocol(*.protonum))]
    NotAmong {
        /// The option.
        option: Opt,
        /// What was typed.
        value: String,
        /// The protocol's number.
        protonum: u8,
        /// What it has.
        has: String,
    },
    /// What the entry or its protocol needs is not there.
    #[error("{what} needs {} too", list(.missing))]
    Missing {
        /// What needs it.
        what: String,
        /// The options that are to be given.
        missing: Vec<Opt>,
    },
    /// Addresses of two families.
    #[error("--{} is {is}, --{} is {other_is}: an entry is of one family", .option.name(), .other.name())]
    Families {
        /// The one option.
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
        /// The one option.
        option: Opt,
        /// The other.
        other: Opt,
        /// Why they can't be given together.
        why: &'static str,
    },
    /// An option that does not belong to what is to be done.
    #[error("--{}: {why}", .option.name())]
    NotHere {
        /// The option.
        option: Opt,
        /// Why it can't be given.
        why: &'static str,
    },
}

/// What a protocol is called.
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
