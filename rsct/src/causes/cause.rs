//! A cause: a name, what it means, and what to do about it.

use rsct_common::record::{CauseFamily, CauseKey};

use crate::kernel::text::Symbols;

use super::{
    delete::DeleteCause, drop::DropCause, full::FullCause, insert::InsertCause, invalid::InvalidCause,
    lost::LostCause, nat::NatCause,
};

/// An enum of causes: each variant with its name, one sentence that says what it means, and what to do about it.
macro_rules! causes {
    (
        $(#[$doc:meta])*
        $enum:ident {
            $($variant:ident $name:literal $meaning:literal $advice:literal;)*
        }
    ) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $enum {
            $(#[doc = $meaning] $variant,)*
        }

        impl $enum {
            /// Every one.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The name in output and documentation.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            /// What it means, in one sentence.
            pub fn meaning(self) -> &'static str {
                match self {
                    $(Self::$variant => $meaning,)*
                }
            }

            /// What to do about it.
            pub fn advice(self) -> &'static str {
                match self {
                    $(Self::$variant => $advice,)*
                }
            }
        }
    };
}

pub(super) use causes;

/// All families' causes in one.
macro_rules! families {
    ($($family:ident($enum:ident);)*) => {
        /// A cause of any family.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Cause {
            $(
                #[doc = concat!("One of [`", stringify!($enum), "`].")]
                $family($enum),
            )*
        }

        impl Cause {
            /// What the kernel counted under `key`; none for a family that this rsct does not know.
            pub fn of(evidence: &Evidence<'_>, symbols: &Symbols) -> Option<Self> {
                Some(match CauseFamily::from_byte(evidence.key.family)? {
                    $(CauseFamily::$family => Self::$family($enum::of(evidence, symbols)),)*
                })
            }

            /// Every cause of every family.
            pub fn all() -> impl Iterator<Item = Self> {
                std::iter::empty()$(.chain($enum::ALL.iter().copied().map(Self::$family)))*
            }

            /// Its family.
            pub fn family(self) -> CauseFamily {
                match self {
                    $(Self::$family(_) => CauseFamily::$family,)*
                }
            }

            /// The name in output and documentation.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$family(cause) => cause.name(),)*
                }
            }

            /// What it means, in one sentence.
            pub fn meaning(self) -> &'static str {
                match self {
                    $(Self::$family(cause) => cause.meaning(),)*
                }
            }

            /// What to do about it.
            pub fn advice(self) -> &'static str {
                match self {
                    $(Self::$family(cause) => cause.advice(),)*
                }
            }
        }
    };
}

families! {
    Invalid(InvalidCause);
    Delete(DeleteCause);
    Full(FullCause);
    Insert(InsertCause);
    Nat(NatCause);
    Lost(LostCause);
    Drop(DropCause);
}

impl Cause {
    /// Whether it is how things go, or is told under another name: nothing that a trace should have a line for.
    pub fn is_ordinary(self) -> bool {
        matches!(
            self,
            Self::Nat(NatCause::FirstTry | NatCause::Unchanged | NatCause::Taken)
                | Self::Drop(
                    DropCause::Clash
                        | DropCause::ClashResolved
                        | DropCause::NotInserted
                        | DropCause::NoEntry
                        | DropCause::Invalid
                )
        )
    }
}

/// What there is to tell a cause by: a count has it, and so has a record.
#[derive(Clone, Copy, Debug)]
pub struct Evidence<'a> {
    /// What it is counted under.
    pub key: &'a CauseKey,
    /// The kernel's own words.
    pub text: &'a [u8],
}

impl Evidence<'_> {
    /// The kernel's words up to their end.
    pub fn words(&self) -> &[u8] {
        let end = self.text.iter().position(|byte| *byte == 0);
        &self.text[..end.unwrap_or(self.text.len())]
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn each_cause_has_a_name_of_its_own_and_something_to_say() {
        let mut names = HashSet::new();
        for cause in Cause::all() {
            assert!(
                names.insert((cause.family(), cause.name())),
                "{} twice",
                cause.name()
            );
            assert!(
                cause.meaning().len() > 20 && cause.advice().len() > 5,
                "{}",
                cause.name()
            );
            assert!(!cause.meaning().ends_with('.'), "{}", cause.name());
        }
    }
}
