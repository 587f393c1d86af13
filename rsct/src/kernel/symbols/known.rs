//! Named addresses, kept: a stack's functions come again and again. A name that was handed out stays where it is
//! while others are added, so that naming needs no `&mut`.

use std::cell::OnceCell;

use super::namer::Named;

/// How many lists they are spread over.
const LISTS: usize = 256;

/// What addresses are called.
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
    /// An address's name; `name` finds it if it is not known yet.
    pub(in super::super) fn get_or_name(
        &self,
        address: u64,
        name: impl FnOnce() -> Option<Named>,
    ) -> Option<&Named> {
        let mut name = Some(name);
        let mut link = &self.lists[address as usize % LISTS];
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_named_once() {
        let known = Known::default();
        let named = |address: u64| {
            (address != 7).then(|| Named {
                function: format!("f{address}"),
                offset: 0,
                module: None,
            })
        };
        // These share a list.
        let addresses = [5, 5 + LISTS as u64, 7, 5 + 2 * LISTS as u64];
        let first = addresses.map(|address| known.get_or_name(address, || named(address)));
        let again = addresses.map(|address| known.get_or_name(address, || unreachable!()));
        assert_eq!(first, again);
        assert_eq!(first[1].map(|named| named.function.as_str()), Some("f261"));
        assert_eq!(first[2], None);
    }
}
