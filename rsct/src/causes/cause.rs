//! A cause of any family.

use rsct_common::record::CauseFamily;

use crate::kernel::text::Symbols;

use super::{
    Evidence, delete::DeleteCause, drop::DropCause, full::FullCause, insert::InsertCause,
    invalid::InvalidCause, lost::LostCause, nat::NatCause,
};

/// The enum of all families.
macro_rules! families {
    ($($family:ident($enum:ident);)*) => {
        /// A cause of any family.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub(crate) enum Cause {
            $(
                #[doc = concat!("One of [`", stringify!($enum), "`].")]
                $family($enum),
            )*
        }

        impl Cause {
            /// Determines the cause of a count or a record; none for a family that this rsct does not know.
            pub(crate) fn of(evidence: &Evidence<'_>, symbols: &Symbols) -> Option<Self> {
                Some(match CauseFamily::from_byte(evidence.key.family)? {
                    $(CauseFamily::$family => Self::$family($enum::of(evidence, symbols)),)*
                })
            }

            /// Every cause of every family.
            pub(crate) fn all() -> impl Iterator<Item = Self> {
                std::iter::empty()$(.chain($enum::ALL.iter().copied().map(Self::$family)))*
            }

            /// The family.
            pub(crate) fn family(self) -> CauseFamily {
                match self {
                    $(Self::$family(_) => CauseFamily::$family,)*
                }
            }

            /// The name in output and documentation.
            pub(crate) fn name(self) -> &'static str {
                match self {
                    $(Self::$family(cause) => cause.name(),)*
                }
            }

            /// The meaning, in one sentence.
            pub(crate) fn meaning(self) -> &'static str {
                match self {
                    $(Self::$family(cause) => cause.meaning(),)*
                }
            }

            /// Advice, as an imperative.
            pub(crate) fn advice(self) -> &'static str {
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
    /// True if a trace needs no line for it: it is ordinary, or is shown under another name.
    pub(crate) fn is_ordinary(self) -> bool {
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

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn each_cause_has_a_unique_name_and_texts() {
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
