//! The running kernel's symbols: addresses by name, names by address, and the state of missing functions.
//!
//! eBPF helpers look up single symbols (`finder`, `namer`) within thousands of instructions. Kernels without
//! these helpers have only /proc/kallsyms, which takes hundreds of millions.

mod fate;
mod finder;
mod known;
mod listing;
mod namer;
mod program;
mod table;

use std::io::{self, BufRead};

pub use fate::{Fate, fates};
pub(super) use known::Known;
pub(super) use namer::Namer;
pub(super) use table::Table;

use finder::{Finder, Found};

use super::bpf_syscall::BpfError;

/// The symbols could not be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot look up symbols in /proc/kallsyms: {0}")]
pub struct SymbolsError(#[from] io::Error);

/// Addresses of symbols of any kind in a module, in the order of `names`; `None` for one that the kernel does
/// not show. The kernel itself must have no symbol of such a name, unless the module is built in.
pub(crate) fn addresses(module: &str, names: &[&str]) -> Result<Vec<Option<u64>>, SymbolsError> {
    match found(names) {
        Ok(addresses) => Ok(addresses),
        Err(_) => listed_addresses(listing::open()?, module, names),
    }
}

fn found(names: &[&str]) -> Result<Vec<Option<u64>>, BpfError> {
    let finder = Finder::load()?;
    let address = |name: &&str| {
        Ok(match finder.find(name)? {
            Found::At(address) => Some(address),
            Found::Nowhere | Found::Hidden => None,
        })
    };
    names.iter().map(address).collect()
}

fn listed_addresses(
    lines: impl BufRead,
    module: &str,
    names: &[&str],
) -> Result<Vec<Option<u64>>, SymbolsError> {
    let mut addresses = vec![None; names.len()];
    listing::for_each(lines, |line| {
        // If the module is built in, the line names no module.
        if line.module.is_some_and(|home| home != module) {
            return;
        }
        if let Some(index) = names.iter().position(|name| *name == line.name)
            && let Some(address) = line.address()
        {
            addresses[index] = Some(address);
        }
    })?;
    Ok(addresses)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_of_the_module() {
        let lines = "\
ffffffff81a00020 t dup
ffffffffc0a03000 b dup\t[other]
ffffffffc0a04000 B nf_conntrack_locks\t[nf_conntrack]
0000000000000000 b hidden\t[nf_conntrack]
x";
        let names = ["nf_conntrack_locks", "hidden", "dup", "absent"];
        assert_eq!(
            listed_addresses(lines.as_bytes(), "nf_conntrack", &names).unwrap(),
            [
                Some(0xffff_ffff_c0a0_4000),
                None,
                Some(0xffff_ffff_81a0_0020),
                None
            ]
        );
    }
}
