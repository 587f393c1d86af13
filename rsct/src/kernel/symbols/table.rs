//! All functions of the running kernel by address, for kernels without a helper that names single addresses.

use std::io::BufRead;

use super::{
    SymbolsError,
    listing::{self, Line},
};
use crate::kernel::text::Place;

/// All functions.
#[derive(Debug, Default)]
pub(in super::super) struct Table {
    /// Sorted by address; each has its start and the position of its name.
    functions: Vec<Function>,
    /// All names, concatenated.
    names: String,
    /// The modules' names.
    modules: Vec<String>,
}

#[derive(Clone, Copy, Debug)]
struct Function {
    address: u64,
    name: u32,
    length: u16,
    /// The module's index plus one; zero for the kernel itself.
    module: u16,
}

impl Table {
    /// Reads all functions, which costs hundreds of millions of instructions.
    pub(in super::super) fn read() -> Result<Self, SymbolsError> {
        Self::parse(listing::open()?)
    }

    pub(in super::super) fn parse(lines: impl BufRead) -> Result<Self, SymbolsError> {
        let mut table = Self::default();
        listing::for_each(lines, |line| table.take(&line))?;
        table.functions.sort_by_key(|function| function.address);
        Ok(table)
    }

    fn take(&mut self, line: &Line<'_>) {
        let Some(address) = line.address().filter(|_| line.is_function()) else {
            return;
        };
        let module = line.module.map_or(0, |name| self.module(name));
        let name_start = self.names.len() as u32;
        self.names.push_str(line.name);
        self.functions.push(Function {
            address,
            name: name_start,
            length: line.name.len() as u16,
            module,
        });
    }

    fn module(&mut self, name: &str) -> u16 {
        // A module's functions are consecutive.
        if self.modules.last().is_none_or(|last| last != name) {
            self.modules.push(name.to_owned());
        }
        self.modules.len() as u16
    }

    /// The function that contains an address.
    pub(in super::super) fn place(&self, address: u64) -> Option<Place<'_>> {
        let after = self
            .functions
            .partition_point(|function| function.address <= address);
        let function = self.functions.get(after.checked_sub(1)?)?;
        let begin = function.name as usize;
        Some(Place {
            function: &self.names[begin..begin + usize::from(function.length)],
            offset: address - function.address,
            module: usize::from(function.module)
                .checked_sub(1)
                .map(|index| self.modules[index].as_str()),
        })
    }
}
