//! Determines why a program cannot attach to a function.
//!
//! A function that BTF describes may be absent from the kernel: compilers inline functions, or rename them
//! with a suffix.

use std::{fmt, io::BufRead};

use super::{
    SymbolsError,
    finder::{Finder, Found},
    listing::{self, Line},
    namer::Namer,
};

/// Suffixes of functions that compilers changed and kept (`.cold` parts are not function entries).
const MANGLED: [&str; 5] = [".constprop.", ".isra.", ".part.", ".llvm.", ".lto_priv."];
/// Suffixes that GCC uses first. The kernel looks up whole names only.
const USUAL: [&str; 5] = [
    ".constprop.0",
    ".isra.0",
    ".part.0",
    ".constprop.0.isra.0",
    ".isra.0.constprop.0",
];

/// A function in the running kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Symbol {
    /// The name as in the kernel: `init_conntrack.constprop.0`.
    pub name: String,
    /// The module it is in; `None` for the kernel itself.
    pub module: Option<String>,
}

/// State of a function in the running kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It exists.
    Present,
    /// The compiler renamed it; only a kprobe by the new name can attach.
    Renamed(Symbol),
    /// It does not exist, nor does a function with one of the usual suffixes.
    Absent,
}

/// Looks functions up, in the order of `names`; reads /proc/kallsyms if the kernel has no lookup helper.
pub fn fates(names: &[&str]) -> Result<Vec<Fate>, SymbolsError> {
    match found(names) {
        Some(fates) => Ok(fates),
        None => listed(listing::open()?, names),
    }
}

fn found(names: &[&str]) -> Option<Vec<Fate>> {
    let finder = Finder::load().ok()?;
    names.iter().map(|name| find(&finder, name)).collect()
}

fn find(finder: &Finder, name: &str) -> Option<Fate> {
    let address = |name: &str| match finder.find(name) {
        Ok(Found::At(address)) => Some(Some(address)),
        Ok(Found::Nowhere) => Some(None),
        Ok(Found::Hidden) | Err(_) => None,
    };
    if address(name)?.is_some() {
        return Some(Fate::Present);
    }
    for usual in USUAL {
        let name = format!("{name}{usual}");
        if let Some(address) = address(&name)? {
            let module = Namer::load().and_then(|namer| namer.name(address)).ok()??.module;
            return Some(Fate::Renamed(Symbol { name, module }));
        }
    }
    Some(Fate::Absent)
}

fn listed(lines: impl BufRead, names: &[&str]) -> Result<Vec<Fate>, SymbolsError> {
    let mut fates = vec![Fate::Absent; names.len()];
    listing::for_each(lines, |line| {
        for (fate, name) in fates.iter_mut().zip(names) {
            fate.note(name, &line);
        }
    })?;
    Ok(fates)
}

impl Fate {
    fn note(&mut self, name: &str, line: &Line<'_>) {
        let Some(rest) = line.name.strip_prefix(name) else {
            return;
        };
        if !line.is_function() {
            return;
        }
        if rest.is_empty() {
            *self = Self::Present;
        } else if *self == Self::Absent
            && MANGLED.iter().any(|mark| rest.starts_with(mark))
            && !rest.ends_with(".cold")
        {
            *self = Self::Renamed(Symbol {
                name: line.name.to_owned(),
                module: line.module.map(str::to_owned),
            });
        }
    }

    /// The reason why BTF does not describe the function `name`.
    pub fn why_not_in_btf(&self, name: &str) -> String {
        match self {
            Self::Present => "the function exists, but this kernel's BTF does not describe it".to_owned(),
            Self::Renamed(symbol) => format!("the compiler renamed {name} to {symbol}"),
            Self::Absent => format!(
                "this kernel has no function {name}: the compiler inlined or renamed it, this version lacks \
                 it, or its module is not loaded"
            ),
        }
    }
}

impl fmt::Display for Symbol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.module {
            Some(module) => write!(f, "{} in {module}", self.name),
            None => write!(f, "{}", self.name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // grep -E ' (nf_confirm|init_conntrack|nf_ct_delete|dup)' /proc/kallsyms, on 6.1; `dup` made up.
    const LINES: &str = "\
ffffffff81a00000 T nf_ct_delete_from_lists
ffffffff81a00010 d nf_ct_delete
ffffffff81a00020 t dup
ffffffff81a00030 t dup
ffffffffc0a01000 t init_conntrack.constprop.0\t[nf_conntrack]
ffffffffc0a01100 t init_conntrack.constprop.0.cold\t[nf_conntrack]
ffffffffc0a02000 T nf_confirm\t[nf_conntrack]";

    #[test]
    fn fates_are_distinguished() {
        let names = ["nf_ct_delete", "init_conntrack", "nf_confirm", "dup"];
        let fates = listed(LINES.as_bytes(), &names).unwrap();
        let renamed = Fate::Renamed(Symbol {
            name: "init_conntrack.constprop.0".to_owned(),
            module: Some("nf_conntrack".to_owned()),
        });
        assert_eq!(fates, [Fate::Absent, renamed, Fate::Present, Fate::Present]);
        assert_eq!(
            fates[1].why_not_in_btf(names[1]),
            "the compiler renamed init_conntrack to init_conntrack.constprop.0 in nf_conntrack"
        );
    }
}
