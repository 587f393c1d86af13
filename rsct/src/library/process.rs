//! Processes that records name.

use std::fmt;

use crate::{names, outside};

/// A process, as it was when it sent a packet or changed an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    pid: u32,
    name: String,
}

impl Process {
    pub(super) fn new(pid: u32, comm: &[u8; 16]) -> Self {
        Self {
            pid,
            name: outside::shown(names::comm(comm)),
        }
    }

    /// Its id.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Its name (`comm`), with control characters escaped.
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// Prints `curl[123]`.
impl fmt::Display for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}[{}]", self.name, self.pid)
    }
}
