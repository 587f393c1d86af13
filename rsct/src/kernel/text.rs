//! The kernel's functions by their addresses: what a stack is made of.

use std::{
    collections::HashMap,
    fs::{self, File},
    io::{self, BufRead, BufReader},
};

use super::{btf::KernelTypes, symbols::SymbolsError};

const KALLSYMS: &str = "/proc/kallsyms";

/// Every function of the running kernel. Reading them costs it some ten million instructions: only who has a stack to
/// show does.
#[derive(Debug, Default)]
pub struct Symbols {
    /// By address: where each begins, and its name's place.
    functions: Vec<Function>,
    /// All names, one after the other.
    names: String,
    /// The modules' names.
    modules: Vec<String>,
    /// The names of `enum skb_drop_reason`, by value.
    drop_reasons: HashMap<u16, String>,
    /// The modules that were loaded when they were read, and where.
    loaded: String,
}

#[derive(Clone, Copy, Debug)]
struct Function {
    address: u64,
    name: u32,
    length: u16,
    /// One more than the module's place; zero for the kernel itself.
    module: u16,
}

/// A place in a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place<'a> {
    /// The function.
    pub function: &'a str,
    /// How far into it.
    pub offset: u64,
    /// The module it is in; `None` for the kernel itself.
    pub module: Option<&'a str>,
}

impl Symbols {
    /// Reads them.
    pub fn read() -> Result<Self, SymbolsError> {
        let loaded = loaded_modules();
        let kallsyms = BufReader::with_capacity(1 << 16, File::open(KALLSYMS)?);
        Ok(Self {
            loaded,
            ..Self::parse(kallsyms)?
        })
    }

    /// Reads them again if modules came or went since: their functions would be taken for others'.
    pub fn keep_up(&mut self) {
        if loaded_modules() == self.loaded {
            return;
        }
        // What can't be read now was read before: better than nothing.
        if let Ok(fresh) = Self::read() {
            *self = Self {
                drop_reasons: std::mem::take(&mut self.drop_reasons),
                ..fresh
            };
        }
    }

    /// Takes the kernel's names of reasons to drop a packet from its types.
    pub fn with_drop_reasons(mut self, types: &KernelTypes) -> Self {
        let names = types.variants("skb_drop_reason", "SKB_DROP_REASON_");
        self.drop_reasons = names
            .into_iter()
            .filter_map(|(name, value)| Some((u16::try_from(value).ok()?, name)))
            .collect();
        self
    }

    /// What the kernel calls a reason to drop a packet.
    pub fn drop_reason(&self, reason: u16) -> Option<&str> {
        self.drop_reasons.get(&reason).map(String::as_str)
    }

    fn parse(mut lines: impl BufRead) -> io::Result<Self> {
        let mut symbols = Self::default();
        let mut line = String::new();
        while lines.read_line(&mut line)? > 0 {
            symbols.take(&line);
            line.clear();
        }
        symbols.functions.sort_by_key(|function| function.address);
        Ok(symbols)
    }

    /// Enters a line such as `ffffffffc0a01000 t init_conntrack.constprop.0\t[nf_conntrack]`.
    fn take(&mut self, line: &str) {
        let mut words = line.split_ascii_whitespace();
        let (Some(address), Some(kind), Some(name)) = (words.next(), words.next(), words.next()) else {
            return;
        };
        let Ok(address) = u64::from_str_radix(address, 16) else {
            return;
        };
        if address == 0 || !matches!(kind, "t" | "T" | "w" | "W") {
            return;
        }
        let module = words
            .next()
            .and_then(|word| word.strip_prefix('[')?.strip_suffix(']'));
        let module = module.map_or(0, |name| self.module(name));
        let place = self.names.len() as u32;
        self.names.push_str(name);
        self.functions.push(Function {
            address,
            name: place,
            length: name.len() as u16,
            module,
        });
    }

    fn module(&mut self, name: &str) -> u16 {
        // A module's functions come in a row.
        if self.modules.last().is_none_or(|last| last != name) {
            self.modules.push(name.to_owned());
        }
        self.modules.len() as u16
    }

    /// Which function an address lies in.
    pub fn place(&self, address: u64) -> Option<Place<'_>> {
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

    /// The functions of a stack, the innermost first.
    pub fn functions<'a>(&'a self, stack: &'a [u64]) -> impl Iterator<Item = Place<'a>> + 'a {
        stack
            .iter()
            .take_while(|address| **address != 0)
            .filter_map(|address| self.place(*address))
    }

    /// The functions that led to `function`, the innermost first: what lies above it on the stack is the probe's own.
    pub fn callers_of<'a>(
        &'a self,
        function: &'a str,
        stack: &'a [u64],
    ) -> impl Iterator<Item = &'a str> + 'a {
        let names: Vec<&str> = self.functions(stack).map(|place| place.function).collect();
        let begin = names
            .iter()
            .position(|name| *name == function)
            .map_or(0, |own| own + 1);
        names
            .into_iter()
            .skip(begin)
            .filter(|name| !name.starts_with("bpf_"))
    }
}

/// The names and addresses in /proc/modules; nothing where there are no modules.
fn loaded_modules() -> String {
    let modules = fs::read_to_string("/proc/modules").unwrap_or_default();
    let mut loaded = String::with_capacity(modules.len());
    for line in modules.lines() {
        // name, size, users, by whom, state, address
        let mut words = line.split_ascii_whitespace();
        loaded.push_str(words.next().unwrap_or_default());
        loaded.push_str(words.nth(4).unwrap_or_default());
    }
    loaded
}

impl std::fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}+{:#x}", self.function, self.offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINES: &str = "\
ffffffff81a00100 T kfree
ffffffff81a00000 T vfs_read
ffffffff81a00200 d data
0000000000000000 A absent
ffffffffc0a01000 t gc_worker\t[nf_conntrack]
ffffffffc0a01100 T nf_ct_delete\t[nf_conntrack]
ffffffffc0b00000 t bpf_prog_0123456789abcdef\t[bpf]
";

    #[test]
    fn an_address_lies_in_the_function_before_it() {
        let symbols = Symbols::parse(LINES.as_bytes()).unwrap();
        let place = symbols.place(0xffff_ffff_81a0_0104).unwrap();
        assert_eq!(place.to_string(), "kfree+0x4");
        assert_eq!(place.module, None);
        let place = symbols.place(0xffff_ffff_c0a0_1000).unwrap();
        assert_eq!(
            (place.function, place.module),
            ("gc_worker", Some("nf_conntrack"))
        );
        assert_eq!(symbols.place(1), None);
    }

    #[test]
    fn callers_begin_behind_the_function_itself() {
        let symbols = Symbols::parse(LINES.as_bytes()).unwrap();
        let stack = [
            0xffff_ffff_c0b0_0010,
            0xffff_ffff_c0a0_1104,
            0xffff_ffff_c0a0_1010,
            0xffff_ffff_81a0_0001,
            0,
            0xffff_ffff_81a0_0101,
        ];
        let callers: Vec<&str> = symbols.callers_of("nf_ct_delete", &stack).collect();
        assert_eq!(callers, ["gc_worker", "vfs_read"]);
    }
}
