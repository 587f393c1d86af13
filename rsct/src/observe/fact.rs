//! Facts: what records refer to and do not contain, such as the name of a policy. The source finds them out.

use serde::{Deserialize, Serialize};

use crate::{
    kernel::{
        interfaces::Names,
        text::{NamedPlace, Symbols},
    },
    timeouts::{Defaults, Spans},
};

/// A fact, as it was when it was read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Fact {
    /// The default timeouts of a namespace; none if they cannot be read: it may be deleted.
    Defaults {
        /// The namespace's inode number.
        netns: u32,
        /// The values.
        defaults: Option<Defaults>,
    },
    /// The timeout objects of a namespace; none if they cannot be read.
    Objects {
        /// The namespace's inode number.
        netns: u32,
        /// The objects.
        objects: Option<Vec<TimeoutObject>>,
    },
    /// The names of functions.
    Symbols(SymbolFacts),
    /// Names of namespaces and interfaces.
    Names(Names),
}

/// Names of the kernel's functions and drop reasons.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct SymbolFacts {
    /// Functions at addresses of stacks; none for an address without a known function.
    pub places: Vec<(u64, Option<NamedPlace>)>,
    /// Names of `enum skb_drop_reason`, by value.
    #[serde(default)]
    pub drop_reasons: Vec<(u16, String)>,
    /// True if the hooks on the trackers' log messages about INVALID packets are missing.
    #[serde(default)]
    pub no_log_messages: bool,
}

impl SymbolFacts {
    /// Adds them to the known symbols.
    pub(crate) fn add_to(&self, symbols: &mut Symbols) {
        for (address, place) in &self.places {
            symbols.add_place(*address, place.clone());
        }
        for (reason, name) in &self.drop_reasons {
            symbols.add_drop_reason(*reason, name.clone());
        }
        if self.no_log_messages {
            symbols.set_without_log_messages();
        }
    }
}

/// A fact that the model lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Want {
    /// The default timeouts of a namespace.
    Defaults(u32),
    /// The timeout objects of a namespace.
    Objects(u32),
}

/// A timeout object that rules can assign to flows: a cttimeout policy, or a `ct timeout` object of nftables.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct TimeoutObject {
    /// Its name.
    pub name: String,
    /// The address family: 2 IPv4, 10 IPv6.
    pub l3proto: u16,
    /// The protocol, 255 for the generic one.
    pub l4proto: u8,
    /// Each state's attribute, and its seconds.
    pub seconds: Vec<(u16, u32)>,
    /// True for an object of nftables.
    pub of_nftables: bool,
}

impl TimeoutObject {
    /// Returns whether it is for a protocol and a family.
    pub(crate) fn is_for(&self, l3num: u16, l4proto: u8) -> bool {
        self.l3proto == l3num && self.l4proto == l4proto
    }

    /// Returns whether its values are equal to these, in whole seconds.
    pub(crate) fn has_values(&self, spans: &Spans) -> bool {
        self.seconds.iter().all(|(attribute, seconds)| {
            spans
                .of(*attribute)
                .is_none_or(|ms| ms / 1000 == u64::from(*seconds))
        })
    }

    /// Its values.
    pub(crate) fn spans(&self) -> Spans {
        let values = self.seconds.iter();
        Spans::new(values.map(|(attribute, seconds)| (*attribute, u64::from(*seconds) * 1000)))
    }
}
