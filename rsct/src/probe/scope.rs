//! What is asked for, as the programs' globals: see `rsct_common::filter`.

use aya::EbpfLoader;

/// What the programs let through.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    /// Inode number of the one namespace traced; none for all.
    pub netns: Option<u32>,
}

/// A global's value, in the width the program has it in.
#[derive(Clone, Copy, Debug)]
pub enum Value {
    /// 32 bits.
    Word(u32),
    /// 64 bits.
    Double(u64),
}

impl Value {
    /// Sets the global called `name`.
    pub fn apply<'a>(&'a self, name: &'a str, loader: &mut EbpfLoader<'a>) {
        match self {
            Self::Word(value) => loader.override_global(name, value, true),
            Self::Double(value) => loader.override_global(name, value, true),
        };
    }
}

impl Scope {
    /// The globals and their values.
    pub fn globals(&self) -> Vec<(&'static str, Value)> {
        vec![("NETNS", Value::Word(self.netns.unwrap_or(0)))]
    }
}
