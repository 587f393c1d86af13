//! The network namespaces that a command visits, one after another.

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

/// `--netns`.
#[derive(Clone, Debug, Default, Args)]
pub(super) struct NetnsArg {
    /// Network namespace (default: the current one)
    ///
    /// A name under /run/netns, the path of a file that refers to the namespace, a process id, an inode number, or `all`:
    /// every namespace that a name, mount, process, thread or open file refers to.
    #[arg(long, value_name = "NAME|PATH|PID|INODE|all")]
    netns: Option<String>,
}

impl NetnsArg {
    /// `--netns all`.
    pub(super) fn all() -> Self {
        Self {
            netns: Some("all".to_owned()),
        }
    }

    /// The value as it was typed.
    pub(super) fn name(&self) -> Option<&str> {
        self.netns.as_deref()
    }
}

/// The selected namespaces, open.
pub(super) struct Namespaces {
    selector: Selector,
    found: Found,
}

impl Namespaces {
    /// Finds and opens the namespaces.
    pub(super) fn open(arg: &NetnsArg) -> anyhow::Result<Self> {
        let selector = Selector::from_option(arg.netns.as_deref());
        let found = netns::open(&selector)?;
        Ok(Self { selector, found })
    }

    /// Returns whether `--netns` was given: output then names the namespace.
    pub(super) fn are_named(&self) -> bool {
        self.selector != Selector::Current
    }

    /// The width of a column of namespace names, with `--netns all`.
    pub(super) fn column(&self) -> Option<usize> {
        self.are_all()
            .then(|| namespace::width(self.iter().map(|netns| &**netns)))
    }

    /// " in network namespace NAME" for messages, if `--netns` was given.
    pub(super) fn of(&self, netns: &Netns) -> String {
        if self.are_named() {
            format!(" in network namespace {}", netns.name)
        } else {
            String::new()
        }
    }

    /// Returns whether all namespaces are selected.
    pub(super) fn are_all(&self) -> bool {
        self.selector == Selector::All
    }

    /// The namespaces.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Netns> {
        self.found.namespaces.iter()
    }

    /// Opens a socket in a namespace.
    pub(super) fn socket(&self, netns: &Netns) -> Result<Socket, Error> {
        match self.selector {
            // setns() needs privileges even for the current namespace.
            Selector::Current => Socket::open(),
            _ => Socket::open_in(netns.as_fd()),
        }
    }

    /// Access to the sysctls of a namespace.
    pub(super) fn settings<'a>(&self, netns: &'a Netns) -> Where<'a> {
        match self.selector {
            Selector::Current => Where::Here,
            _ => Where::Inside(netns.as_fd()),
        }
    }

    /// Calls `visit` for each namespace with a socket in it. With `--netns all`, a namespace that fails is reported on
    /// stderr and the next one is visited. Returns whether none failed.
    pub(super) async fn visit(
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
                self.report_failed(netns, error)?;
                all_went_well = false;
            }
        }
        Ok(all_went_well)
    }

    /// Opens a socket in each namespace. With `--netns all`, a namespace that fails is reported on stderr and skipped.
    /// The flag is true if none failed.
    pub(super) fn sockets(&self) -> anyhow::Result<(Vec<(&Netns, Socket)>, bool)> {
        let mut sockets = Vec::new();
        let mut all_went_well = true;
        for netns in &self.found.namespaces {
            match self.socket(netns) {
                Ok(socket) => sockets.push((netns, socket)),
                Err(error) => {
                    self.report_failed(netns, error.into())?;
                    all_went_well = false;
                }
            }
        }
        Ok((sockets, all_went_well))
    }

    /// Reports an error that concerns only this one of all namespaces, and returns any other.
    fn report_failed(&self, netns: &Netns, error: anyhow::Error) -> anyhow::Result<()> {
        // A namespace may have been deleted since it was found. Missing permissions concern all namespaces.
        if self.selector != Selector::All || !may_be_of_one_namespace(&error) {
            return Err(error);
        }
        message!("in network namespace {}: {}", netns.name, sentence(&error));
        Ok(())
    }

    /// Reports on stderr which processes could not be inspected.
    pub(super) fn report_hidden(&self) {
        const ADVICE: &str = "run as root with the capability CAP_SYS_PTRACE";
        let Hidden { processes, unlisted } = self.found.hidden;
        match processes {
            0 => {}
            1 => message!(
                "1 process cannot be inspected: a network namespace that only it refers to is missing; {ADVICE}"
            ),
            _ => message!(
                "{processes} processes cannot be inspected: network namespaces that only they refer to are missing; \
                 {ADVICE}"
            ),
        }
        if unlisted {
            message!(
                "/proc hides processes of other users (mount option hidepid): network namespaces that only they refer \
                 to are missing; {ADVICE}"
            );
        }
    }
}

/// Returns whether an error may concern one namespace. A failed write to standard output, missing permissions and
/// missing descriptors concern all.
fn may_be_of_one_namespace(error: &anyhow::Error) -> bool {
    error
        .downcast_ref::<Error>()
        .is_some_and(|error| !error.is_everywhere())
}
