//! Names of network namespaces and their interfaces: records contain only their numbers.

use std::{
    ffi::CStr,
    io,
    os::fd::{AsFd as _, BorrowedFd},
};

use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use super::{
    helper,
    netns::{self, Selector},
};
use crate::outside::Name;

/// The names found so far, including those of deleted namespaces and interfaces.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "NameLists", into = "NameLists")]
pub(crate) struct Names {
    netns: FxHashMap<u32, Name>,
    interfaces: FxHashMap<(u32, u32), Name>,
}

impl Names {
    /// Reads the names in all namespaces that can be found.
    pub(crate) fn read() -> Self {
        let mut names = Self::default();
        names.read_again();
        names
    }

    /// Reads the names in these namespaces only.
    pub(crate) fn of(selector: &Selector) -> Self {
        let mut names = Self::default();
        names.add(selector);
        names
    }

    /// Reads the names again. Names of deleted namespaces and interfaces are kept.
    pub(crate) fn read_again(&mut self) {
        self.add(&Selector::All);
    }

    fn add(&mut self, selector: &Selector) {
        let Ok(found) = netns::open(selector) else {
            return;
        };
        for netns in found.namespaces {
            let inode = netns.inode as u32;
            self.netns.insert(inode, netns.name.clone());
            // A namespace that may not be entered keeps numbers for its interfaces.
            for (ifindex, name) in inside(netns.as_fd()).unwrap_or_default() {
                self.interfaces.insert((inode, ifindex), name.into());
            }
        }
    }

    /// Adds other names.
    pub(crate) fn extend(&mut self, others: &Self) {
        let netns = others.netns.iter().map(|(inode, name)| (*inode, name.clone()));
        self.netns.extend(netns);
        let interfaces = others.interfaces.iter().map(|(key, name)| (*key, name.clone()));
        self.interfaces.extend(interfaces);
    }

    /// The inode number of the namespace with this name.
    pub(crate) fn netns_named(&self, wanted: &str) -> Option<u32> {
        let mut names = self.netns.iter();
        names
            .find(|(_, name)| name.as_str() == wanted)
            .map(|(inode, _)| *inode)
    }

    /// The name of a namespace, or its inode number if it has none.
    pub(crate) fn netns(&self, inode: u32) -> Name {
        self.netns
            .get(&inode)
            .cloned()
            .unwrap_or_else(|| inode.to_string().into())
    }

    /// Returns whether several namespaces have names.
    pub(crate) fn has_several_netns(&self) -> bool {
        self.netns.len() > 1
    }

    /// The name of an interface, if it is known.
    pub(crate) fn interface(&self, netns: u32, ifindex: u32) -> Option<&Name> {
        self.interfaces.get(&(netns, ifindex))
    }
}

/// The names as lists.
#[derive(Serialize, Deserialize)]
struct NameLists {
    /// Inode numbers of namespaces, and their names.
    netns: Vec<(u32, String)>,
    /// Inode numbers of namespaces, indices of their interfaces, and the names of these.
    interfaces: Vec<(u32, u32, String)>,
}

impl From<Names> for NameLists {
    fn from(names: Names) -> Self {
        let text = |name: Name| name.as_str().to_owned();
        let interfaces = names.interfaces.into_iter();
        let mut lists = Self {
            netns: names
                .netns
                .into_iter()
                .map(|(inode, name)| (inode, text(name)))
                .collect(),
            interfaces: interfaces
                .map(|((netns, ifindex), name)| (netns, ifindex, text(name)))
                .collect(),
        };
        lists.netns.sort();
        lists.interfaces.sort();
        lists
    }
}

impl From<NameLists> for Names {
    fn from(lists: NameLists) -> Self {
        let interfaces = lists.interfaces.into_iter();
        Self {
            netns: lists
                .netns
                .into_iter()
                .map(|(inode, name)| (inode, name.into()))
                .collect(),
            interfaces: interfaces
                .map(|(netns, ifindex, name)| ((netns, ifindex), name.into()))
                .collect(),
        }
    }
}

/// The interfaces of a namespace.
pub(super) fn inside(netns: BorrowedFd<'_>) -> io::Result<Vec<(u32, String)>> {
    match helper::interfaces(netns) {
        Some(interfaces) => interfaces,
        None => netns::inside(netns, interfaces_here)?,
    }
}

/// The interfaces of the calling thread's namespace.
fn interfaces_here() -> io::Result<Vec<(u32, String)>> {
    // SAFETY: no arguments.
    let first = unsafe { libc::if_nameindex() };
    if first.is_null() {
        return Err(io::Error::last_os_error());
    }
    let mut interfaces = Vec::new();
    let mut at = first;
    loop {
        // SAFETY: the array ends with an element whose index is 0, and no later element is read.
        let interface = unsafe { *at };
        if interface.if_index == 0 || interface.if_name.is_null() {
            break;
        }
        // SAFETY: the name is a string that ends in a zero byte and lives as long as the array.
        let name = unsafe { CStr::from_ptr(interface.if_name) };
        interfaces.push((interface.if_index, name.to_string_lossy().into_owned()));
        // SAFETY: this was not the last element.
        at = unsafe { at.add(1) };
    }
    // SAFETY: the array came from if_nameindex and is not used after this.
    unsafe { libc::if_freenameindex(first) };
    Ok(interfaces)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loopback_interface_is_found_by_its_number() {
        let here = interfaces_here().unwrap();
        assert!(here.contains(&(1, "lo".to_owned())), "{here:?}");
    }

    #[test]
    fn unnamed_namespaces_are_shown_as_numbers() {
        let names = Names::default();
        assert_eq!(names.netns(4_026_531_840).as_str(), "4026531840");
        assert_eq!(names.interface(4_026_531_840, 1), None);
    }
}
