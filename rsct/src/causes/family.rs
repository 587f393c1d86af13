//! The parts of each family of causes: an enum with names, meanings and advice, and the evidence that selects a variant.

use rsct_common::record::CauseKey;

/// An enum of causes: each variant with its name, its meaning in one sentence, and what to do about it.
macro_rules! causes {
    (
        $(#[$doc:meta])*
        $enum:ident {
            $($variant:ident $name:literal $meaning:literal $advice:literal;)*
        }
    ) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub(crate) enum $enum {
            $(#[doc = $meaning] $variant,)*
        }

        impl $enum {
            /// Every one.
            pub(crate) const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The name in output and documentation.
            pub(crate) fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            /// The meaning, in one sentence.
            pub(crate) fn meaning(self) -> &'static str {
                match self {
                    $(Self::$variant => $meaning,)*
                }
            }

            /// Advice, as an imperative.
            pub(crate) fn advice(self) -> &'static str {
                match self {
                    $(Self::$variant => $advice,)*
                }
            }
        }
    };
}

pub(super) use causes;

/// The facts that determine a cause: counts and records both have them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Evidence<'a> {
    /// The key of the count.
    pub key: &'a CauseKey,
    /// The kernel's text.
    pub text: &'a [u8],
}

impl Evidence<'_> {
    /// Returns the kernel's text up to its end.
    pub(crate) fn text(&self) -> &[u8] {
        let end = self.text.iter().position(|byte| *byte == 0);
        &self.text[..end.unwrap_or(self.text.len())]
    }
}
