//! The network namespaces that a command goes through, one after the other.

use std::os::fd::AsFd as _;

use clap::Args;

use super::sentence;
use crate::{
    kernel::{
        netns::{self, Found, Hidden, Netns, Selector},
        sysctl::Where,
    },
    netlink::{Error, Socket},
    render::namespace,
};

/// Which network namespaces.
#[derive(Clone, Debug, Default, Args)]
pub struct NetnsArg {
    /// Network namespace: a name under /run/netns, the path of a file that refers to it, a process id, an inode number, or
    /// `all`: each that a name, mount, process, thread or open file leads to. The current one unless given.
    #[arg(long, value_name = "NAME|PATH|PID|INODE|all")]
    netns: Option<String>,
}

impl NetnsArg {
    /// What asks for all of them.
    pub fn all() -> Self {
        Self {
            netns: Some("all".to_owned()),
        }
    }

    /// What was asked for, as it was typed.
    pub fn name(&self) -> Option<&str> {
        self.netns.as_deref()
    }
}

/// The namespaces that were asked for, open.
pub struct Namespaces {
    selector: Selector,
    found: Found,
}

impl Namespaces {
    /// Looks them up.
    pub fn open(arg: &NetnsArg) -> anyhow::Result<Self> {
        let selector = Selector::from_option(arg.netns.as_deref());
        let found = netns::open(&selector)?;
        Ok(Self { selector, found })
    }

    /// Whether more than the current namespace was asked for by name: output then says which it is.
    pub fn are_named(&self) -> bool {
        self.selector != Selector::Current
    }

    /// The width of a column for their names, where all were asked for.
    pub fn column(&self) -> Option<usize> {
        self.are_all().then(|| namespace::width(self.iter()))
    }

    /// What is said behind "the table" where it is not clear which namespace's is meant.
    pub fn of(&self, netns: &Netns) -> String {
        if self.are_named() {
            format!(" in network namespace {}", netns.name)
        } else {
            String::new()
        }
    }

    /// Whether all were asked for.
    pub fn are_all(&self) -> bool {
        self.selector == Selector::All
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &Netns> {
        self.found.namespaces.iter()
    }

    /// Opens a socket in one of them.
    pub fn socket(&self, netns: &Netns) -> Result<Socket, Error> {
        match self.selector {
            // The current namespace needs no rights to be entered.
            Selector::Current => Socket::open(),
            _ => Socket::open_in(netns.as_fd()),
        }
    }

    /// The way to the settings of one of them.
    pub fn settings<'a>(&self, netns: &'a Netns) -> Where<'a> {
        match self.selector {
            Selector::Current => Where::Here,
            _ => Where::Inside(netns.as_fd()),
        }
    }

    /// Visits each with a socket that is open there. Where all were asked for, one that fails is told of on
    /// stderr and the others are visited; the result says whether none failed.
    pub async fn visit(
        &self,
        mut visit: impl AsyncFnMut(&Netns, &mut Socket) -> anyhow::Result<()>,
    ) -> anyhow::Result<bool> {
        let mut all_went_well = true;
        for netns in &self.found.namespaces {
            let visited = match self.socket(netns) {
                Ok(mut socket) => visit(netns, &mut socket).await,
                Err(error) => Err(error.into()),
            };
            if let Err(error) = visited {
                self.pass_over(netns, error)?;
                all_went_well = false;
            }
        }
        Ok(all_went_well)
    }

    /// Opens a socket in each, all at once. Where all were asked for, one that fails is told of on stderr and left out;
    /// the flag says whether none failed.
    pub fn sockets(&self) -> anyhow::Result<(Vec<(&Netns, Socket)>, bool)> {
        let mut sockets = Vec::new();
        let mut all_went_well = true;
        for netns in &self.found.namespaces {
            match self.socket(netns) {
                Ok(socket) => sockets.push((netns, socket)),
                Err(error) => {
                    self.pass_over(netns, error.into())?;
                    all_went_well = false;
                }
            }
        }
        Ok((sockets, all_went_well))
    }

    /// Tells of an error that concerns one of all namespaces alone, and hands over any other.
    fn pass_over(&self, netns: &Netns, error: anyhow::Error) -> anyhow::Result<()> {
        // A namespace may be gone by now, and the others can be read; who may not read one may read none of them.
        if self.selector != Selector::All || !may_be_this_one_alone(&error) {
            return Err(error);
        }
        message!("in network namespace {}: {}", netns.name, sentence(&error));
        Ok(())
    }

    /// Says on stderr what could not be looked at.
    pub fn tell_of_hidden(&self) {
        const ADVICE: &str = "run as root with the capability CAP_SYS_PTRACE";
        let Hidden { processes, unlisted } = self.found.hidden;
        match processes {
            0 => {}
            1 => message!(
                "1 process cannot be inspected: a network namespace that nothing else leads to is missing; {ADVICE}"
            ),
            _ => message!(
                "{processes} processes cannot be inspected: network namespaces that nothing else leads to are missing; \
                 {ADVICE}"
            ),
        }
        if unlisted {
            message!(
                "/proc hides processes of other users (mount option hidepid): network namespaces that nothing else leads \
                 to are missing; {ADVICE}"
            );
        }
    }
}

/// Writing to standard output fails for all namespaces alike, and so does what rights or descriptors are missing for.
fn may_be_this_one_alone(error: &anyhow::Error) -> bool {
    error
        .downcast_ref::<Error>()
        .is_some_and(|error| !error.is_everywhere())
}
