//! Why a function cannot be attached to: what became of it in the kernel that runs.
//!
//! That types describe a function does not mean it is there: compilers inline functions, or keep
//! them under a mangled name. `/proc/kallsyms` tells, but a kernel spends tens of millions of
//! instructions on writing it, so nothing asks before an attach has failed.

use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

const KALLSYMS: &str = "/proc/kallsyms";
/// What compilers append to a function they changed and kept (`.cold` parts are no entry).
const MANGLED: [&str; 5] = [".constprop.", ".isra.", ".part.", ".llvm.", ".lto_priv."];

/// The symbols could not be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot look up symbols in {KALLSYMS}: {0}")]
pub struct SymbolsError(#[from] io::Error);

/// A function in the running kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Symbol {
    /// As the kernel spells it: `init_conntrack.constprop.0`.
    pub name: String,
    /// The module it is in; `None` for the kernel itself.
    pub module: Option<String>,
}

/// What became of a function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fate {
    /// The name asked for.
    pub name: String,
    /// Functions of exactly that name. Several have no unambiguous address.
    pub exact: Vec<Symbol>,
    /// Functions made of it under another name; only a kprobe by that name can attach.
    pub mangled: Vec<Symbol>,
}

/// Looks one function up. Costly; for several use [`fates`].
pub fn why_absent(name: &str) -> Result<Fate, SymbolsError> {
    Ok(fates(&[name])?.remove(0))
}

/// Looks functions up in one pass, in the order asked.
pub fn fates(names: &[&str]) -> Result<Vec<Fate>, SymbolsError> {
    Ok(search(
        BufReader::with_capacity(1 << 16, File::open(Path::new(KALLSYMS))?),
        names,
    )?)
}

/// Where symbols of the module are, of any kind, in the order asked; none where the kernel does not tell.
pub fn addresses(module: &str, names: &[&str]) -> Result<Vec<Option<u64>>, SymbolsError> {
    let symbols = BufReader::with_capacity(1 << 16, File::open(Path::new(KALLSYMS))?);
    Ok(search_addresses(symbols, module, names)?)
}

fn search_addresses(mut symbols: impl BufRead, module: &str, names: &[&str]) -> io::Result<Vec<Option<u64>>> {
    let mut addresses = vec![None; names.len()];
    let mut line = Vec::new();
    while symbols.read_until(b'\n', &mut line)? > 0 {
        if let Some((index, address)) = address(&line, module, names) {
            addresses[index] = Some(address);
        }
        line.clear();
    }
    Ok(addresses)
}

/// Which of the names a line is about, and its address. A kernel that has the module built in has no module to name.
fn address(line: &[u8], module: &str, names: &[&str]) -> Option<(usize, u64)> {
    let space = line.iter().position(|byte| *byte == b' ')?;
    let tail = line.get(space + 3..)?;
    let index = names.iter().position(|name| {
        tail.strip_prefix(name.as_bytes())
            .is_some_and(|rest| rest.first().is_none_or(u8::is_ascii_whitespace))
    })?;
    let home = tail[names[index].len()..].trim_ascii();
    if !home.is_empty() && home != format!("[{module}]").as_bytes() {
        return None;
    }
    let address = u64::from_str_radix(&text(&line[..space]), 16).ok()?;
    (address != 0).then_some((index, address))
}

fn search(mut symbols: impl BufRead, names: &[&str]) -> io::Result<Vec<Fate>> {
    let fate = |name: &&str| Fate {
        name: (*name).to_owned(),
        exact: Vec::new(),
        mangled: Vec::new(),
    };
    let mut fates: Vec<Fate> = names.iter().map(fate).collect();
    let mut line = Vec::new();
    while symbols.read_until(b'\n', &mut line)? > 0 {
        note(&line, &mut fates);
        line.clear();
    }
    Ok(fates)
}

/// Enters a line such as `ffffffffc0a01000 t init_conntrack.constprop.0\t[nf_conntrack]`. Most lines
/// are none of those asked for, so the name is compared before anything else is taken apart.
fn note(line: &[u8], fates: &mut [Fate]) {
    let Some(space) = line.iter().position(|byte| *byte == b' ') else {
        return;
    };
    let Some(&[_, kind, b' ', ..]) = line.get(space..) else {
        return;
    };
    let tail = &line[space + 3..];
    for fate in fates {
        if !tail.starts_with(fate.name.as_bytes()) || !matches!(kind, b't' | b'T' | b'w' | b'W') {
            continue;
        }
        let mut words = tail
            .split(u8::is_ascii_whitespace)
            .filter(|word| !word.is_empty());
        let Some(symbol) = words.next() else { continue };
        let rest = symbol.get(fate.name.len()..).unwrap_or_default();
        let list = if rest.is_empty() {
            &mut fate.exact
        } else if MANGLED.iter().any(|mark| rest.starts_with(mark.as_bytes())) && !rest.ends_with(b".cold") {
            &mut fate.mangled
        } else {
            continue;
        };
        let module = words
            .next()
            .and_then(|word| word.strip_prefix(b"[")?.strip_suffix(b"]"));
        list.push(Symbol {
            name: text(symbol),
            module: module.map(text),
        });
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

impl fmt::Display for Symbol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.module {
            Some(module) => write!(f, "{} in {module}", self.name),
            None => write!(f, "{}", self.name),
        }
    }
}

/// The fate in a sentence.
impl fmt::Display for Fate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = &self.name;
        match (self.exact.as_slice(), self.mangled.as_slice()) {
            ([], []) => write!(
                f,
                "this kernel has no function {name}: inlined, not part of it, or of a module that is not loaded"
            ),
            ([], [mangled, ..]) => write!(f, "the compiler changed {name}; it is there as {mangled}"),
            ([_], _) => write!(
                f,
                "{name} is in this kernel, so it cannot be traced for another reason"
            ),
            (several, _) => write!(f, "this kernel has {} functions called {name}", several.len()),
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
    fn fates_are_told_apart() {
        let names = ["nf_ct_delete", "init_conntrack", "nf_confirm", "dup"];
        let fates = search(LINES.as_bytes(), &names).unwrap();
        let told: Vec<String> = fates.iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            [
                "this kernel has no function nf_ct_delete: inlined, not part of it, or of a module that is not loaded",
                "the compiler changed init_conntrack; it is there as init_conntrack.constprop.0 in nf_conntrack",
                "nf_confirm is in this kernel, so it cannot be traced for another reason",
                "this kernel has 2 functions called dup",
            ]
        );
        assert_eq!(fates[1].mangled.len(), 1);
        assert_eq!(fates[2].exact[0].module.as_deref(), Some("nf_conntrack"));
    }

    #[test]
    fn addresses_are_those_of_the_module() {
        let lines = "\
ffffffff81a00020 t dup
ffffffffc0a03000 b dup\t[other]
ffffffffc0a04000 B nf_conntrack_locks\t[nf_conntrack]
0000000000000000 b hidden\t[nf_conntrack]
x";
        let names = ["nf_conntrack_locks", "hidden", "dup", "absent"];
        assert_eq!(
            search_addresses(lines.as_bytes(), "nf_conntrack", &names).unwrap(),
            [
                Some(0xffff_ffff_c0a0_4000),
                None,
                Some(0xffff_ffff_81a0_0020),
                None
            ]
        );
    }
}
