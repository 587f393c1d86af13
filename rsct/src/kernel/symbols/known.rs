//! A cache of named addresses: a stack's functions recur. A returned name stays valid while others are added,
//! so lookups need no `&mut`.

use std::cell::OnceCell;

use super::namer::Named;

/// Number of lists that the names are spread over: one per value of a byte.
const LISTS: usize = 256;

/// The cached names.
#[derive(Debug)]
pub(in super::super) struct Known {
    lists: Box<[Link; LISTS]>,
}

type Link = OnceCell<Box<Entry>>;

#[derive(Debug)]
struct Entry {
    address: u64,
    named: Option<Named>,
    next: Link,
}

impl Default for Known {
    fn default() -> Self {
        Self {
            lists: Box::new([const { OnceCell::new() }; LISTS]),
        }
    }
}

impl Known {
    /// The name of an address; calls `name` if it is not cached.
    pub(in super::super) fn get_or_name(
        &self,
        address: u64,
        name: impl FnOnce() -> Option<Named>,
    ) -> Option<&Named> {
        let mut name = Some(name);
        let mut link = &self.lists[list(address)];
        loop {
            let entry = link.get_or_init(|| {
                Box::new(Entry {
                    address,
                    named: name.take().and_then(|name| name()),
                    next: Link::new(),
                })
            });
            if entry.address == address {
                return entry.named.as_ref();
            }
            link = &entry.next;
        }
    }
}

/// The list that an address belongs to. Functions are aligned, so their low bits are often equal.
fn list(address: u64) -> usize {
    const GOLDEN_RATIO: u64 = 0x9e37_79b9_7f4a_7c15;
    (address.wrapping_mul(GOLDEN_RATIO) >> (u64::BITS - u8::BITS)) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_named_once() {
        let known = Known::default();
        let named = |address: u64| {
            (address != 7 * 16).then(|| Named {
                function: format!("f{address}"),
                offset: 0,
                module: None,
            })
        };
        // More addresses than lists.
        let addresses: Vec<u64> = (0..2 * LISTS as u64).map(|index| index * 16).collect();
        let name = |address: &u64| known.get_or_name(*address, || named(*address));
        let first: Vec<_> = addresses.iter().map(name).collect();
        let again = |address: &u64| known.get_or_name(*address, || unreachable!());
        assert_eq!(first, addresses.iter().map(again).collect::<Vec<_>>());
        assert_eq!(first[1].map(|named| named.function.as_str()), Some("f16"));
        assert_eq!(first[7], None);
        let used: std::collections::HashSet<usize> = addresses.iter().map(|address| list(*address)).collect();
        assert!(used.len() > LISTS / 2, "{}", used.len());
    }
}
