//! The kernel's functions by address, to print stacks.

use std::{collections::HashMap, fs};

use serde::{Deserialize, Serialize};

use super::{
    btf::KernelTypes,
    symbols::{Known, Namer, SymbolsError, Table},
};

/// Functions of the running kernel, each looked up when a stack first contains it.
#[derive(Debug, Default)]
pub(crate) struct Symbols {
    source: Source,
    /// Names of `enum skb_drop_reason`, by value.
    drop_reasons: HashMap<u16, String>,
    /// The names and addresses of modules at the last reset of the cache.
    loaded: String,
    /// True if the hooks on the trackers' log messages about INVALID packets are missing: see
    /// [`Symbols::without_log_messages`].
    no_log_messages: bool,
}

#[derive(Debug)]
enum Source {
    /// The kernel has a helper that names single addresses.
    Kernel(Namer, Known),
    /// It has none, so all functions were read.
    Table(Table),
    /// The functions that were named, each address with its own.
    Named(HashMap<u64, Option<NamedPlace>>),
}

impl Default for Source {
    fn default() -> Self {
        Self::Named(HashMap::new())
    }
}

/// An offset in a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place<'a> {
    /// The function.
    pub function: &'a str,
    /// Offset in it.
    pub offset: u64,
    /// The module it is in; `None` for the kernel itself.
    pub module: Option<&'a str>,
}

/// An offset in a function.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct NamedPlace {
    /// The function.
    pub function: String,
    /// Offset in it.
    pub offset: u64,
    /// The module it is in; `None` for the kernel itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub module: Option<String>,
}

impl NamedPlace {
    fn place(&self) -> Place<'_> {
        Place {
            function: &self.function,
            offset: self.offset,
            module: self.module.as_deref(),
        }
    }
}

impl From<Place<'_>> for NamedPlace {
    fn from(place: Place<'_>) -> Self {
        Self {
            function: place.function.to_owned(),
            offset: place.offset,
            module: place.module.map(str::to_owned),
        }
    }
}

/// Reads the names of the drop reasons from the kernel's types.
pub(crate) fn drop_reasons(types: &KernelTypes) -> HashMap<u16, String> {
    let names = types.variants("skb_drop_reason", "SKB_DROP_REASON_");
    names
        .into_iter()
        .filter_map(|(name, value)| Some((u16::try_from(value).ok()?, name)))
        .collect()
}

impl Symbols {
    /// Opens the running kernel's functions. Reads them all now only if the kernel has no helper that names
    /// single addresses.
    pub(crate) fn read() -> Result<Self, SymbolsError> {
        let loaded = loaded_modules();
        let source = match Namer::load() {
            Ok(namer) => Source::Kernel(namer, Known::default()),
            Err(_) => Source::Table(Table::read()?),
        };
        Ok(Self {
            source,
            loaded,
            ..Self::default()
        })
    }

    /// Adds the function at an address.
    pub(crate) fn add_place(&mut self, address: u64, place: Option<NamedPlace>) {
        if let Source::Named(named) = &mut self.source {
            named.insert(address, place);
        }
    }

    /// Adds the kernel's name of a drop reason.
    pub(crate) fn add_drop_reason(&mut self, reason: u16, name: String) {
        self.drop_reasons.insert(reason, name);
    }

    /// Clears the cache if modules were loaded or unloaded: their addresses may now belong to other functions. Returns
    /// whether it did.
    pub(crate) fn clear_if_modules_changed(&mut self) -> bool {
        if matches!(self.source, Source::Named(_)) {
            return false;
        }
        let loaded = loaded_modules();
        if loaded == self.loaded {
            return false;
        }
        match &mut self.source {
            Source::Kernel(_, known) => *known = Known::default(),
            Source::Table(table) => match Table::read() {
                Ok(fresh) => *table = fresh,
                // Keep the old table: most of it is still correct.
                Err(_) => return false,
            },
            Source::Named(_) => {}
        }
        self.loaded = loaded;
        true
    }

    /// Adds the names of drop reasons.
    pub(crate) fn with_drop_reasons(mut self, names: HashMap<u16, String>) -> Self {
        self.drop_reasons = names;
        self
    }

    /// Records whether the hooks on `nf_l4proto_log_invalid` and its like are not attached, so that a packet without
    /// a log message proves nothing.
    pub(crate) fn without_log_messages(mut self, no_log_messages: bool) -> Self {
        self.no_log_messages = no_log_messages;
        self
    }

    /// The hooks on the trackers' log messages are not attached.
    pub(crate) fn set_without_log_messages(&mut self) {
        self.no_log_messages = true;
    }

    /// Returns whether the trackers' log messages about INVALID packets are seen.
    pub(crate) fn sees_log_messages(&self) -> bool {
        !self.no_log_messages
    }

    /// The kernel's names of drop reasons.
    pub(crate) fn drop_reasons(&self) -> impl Iterator<Item = (u16, &str)> {
        self.drop_reasons
            .iter()
            .map(|(reason, name)| (*reason, name.as_str()))
    }

    /// The kernel's name of a drop reason.
    pub(crate) fn drop_reason(&self, reason: u16) -> Option<&str> {
        self.drop_reasons.get(&reason).map(String::as_str)
    }

    /// The function that contains an address.
    pub(crate) fn place(&self, address: u64) -> Option<Place<'_>> {
        match &self.source {
            Source::Kernel(namer, known) => {
                let named = known.get_or_name(address, || namer.name(address).ok().flatten())?;
                Some(Place {
                    function: &named.function,
                    offset: named.offset,
                    module: named.module.as_deref(),
                })
            }
            Source::Table(table) => table.place(address),
            Source::Named(named) => named.get(&address)?.as_ref().map(NamedPlace::place),
        }
    }

    /// Functions of a stack, innermost first.
    pub(crate) fn functions<'a>(&'a self, stack: &'a [u64]) -> impl Iterator<Item = Place<'a>> + 'a {
        stack
            .iter()
            .take_while(|address| **address != 0)
            .filter_map(|address| self.place(*address))
    }

    /// Returns whether the caller of `function` has a name, or the innermost caller if `function` is not on
    /// the stack. A caller without a name may be any function.
    pub(crate) fn names_caller_of(&self, function: &str, stack: &[u64]) -> bool {
        let names: Vec<Option<&str>> = stack
            .iter()
            .take_while(|address| **address != 0)
            .map(|address| self.place(*address).map(|place| place.function))
            .collect();
        let own = names.iter().position(|name| *name == Some(function));
        match own {
            Some(own) => names.get(own + 1).is_none_or(Option::is_some),
            None => names.iter().any(Option::is_some),
        }
    }

    /// The callers of `function`, innermost first, without the probe's own frames above it.
    pub(crate) fn callers_of<'a>(
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

/// Names and addresses in /proc/modules; empty without modules.
fn loaded_modules() -> String {
    let modules = fs::read_to_string("/proc/modules").unwrap_or_default();
    let mut loaded = String::with_capacity(modules.len());
    for line in modules.lines() {
        // name, size, users, names of the users, state, address
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

    fn symbols() -> Symbols {
        Symbols {
            source: Source::Table(Table::parse(LINES.as_bytes()).unwrap()),
            ..Symbols::default()
        }
    }

    #[test]
    fn an_address_lies_in_the_function_before_it() {
        let symbols = symbols();
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
    fn callers_begin_after_the_function() {
        let symbols = symbols();
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
