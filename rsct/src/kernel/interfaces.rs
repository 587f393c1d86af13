//! What network namespaces and their interfaces are called: records have numbers for both.

use std::{
    ffi::CStr,
    io,
    os::fd::{AsFd as _, BorrowedFd},
};

use rustc_hash::FxHashMap;

use super::netns::{self, Selector};
use crate::outside::Name;

/// The names that were found, those of what is gone by now too.
#[derive(Clone, Debug, Default)]
pub struct Names {
    netns: FxHashMap<u32, Name>,
    interfaces: FxHashMap<(u32, u32), Name>,
}

impl Names {
    /// Looks at all namespaces that can be reached.
    pub fn read() -> Self {
        let mut names = Self::default();
        names.read_again();
        names
    }

    /// Looks at these namespaces alone.
    pub fn of(selector: &Selector) -> Self {
        let mut names = Self::default();
        names.take_in(selector);
        names
    }

    /// Looks again. What was found before and is gone keeps its name.
    pub fn read_again(&mut self) {
        self.take_in(&Selector::All);
    }

    fn take_in(&mut self, selector: &Selector) {
        let Ok(found) = netns::open(selector) else {
            return;
        };
        for netns in found.namespaces {
            let inode = netns.inode as u32;
            self.netns.insert(inode, netns.name.clone());
            // One that may not be entered is left with numbers.
            for (ifindex, name) in interfaces(netns.as_fd()).unwrap_or_default() {
                self.interfaces.insert((inode, ifindex), name.into());
            }
        }
    }

    /// What a namespace is called: its inode number, where nobody gave it a name.
    pub fn netns(&self, inode: u32) -> Name {
        self.netns
            .get(&inode)
            .cloned()
            .unwrap_or_else(|| inode.to_string().into())
    }

    /// What an interface is called, if that is known.
    pub fn interface(&self, netns: u32, ifindex: u32) -> Option<&Name> {
        self.interfaces.get(&(netns, ifindex))
    }
}

/// The interfaces of a namespace.
fn interfaces(netns: BorrowedFd<'_>) -> io::Result<Vec<(u32, String)>> {
    netns::inside(netns, interfaces_here)?
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
        // SAFETY: the array goes on until an element whose index is 0, which is the last that is looked at.
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
    // SAFETY: it came from if_nameindex, and nothing of it is used any more.
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
    fn what_has_no_name_is_called_by_its_number() {
        let names = Names::default();
        assert_eq!(names.netns(4_026_531_840).as_str(), "4026531840");
        assert_eq!(names.interface(4_026_531_840, 1), None);
    }
}
