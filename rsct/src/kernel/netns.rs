//! Network namespaces: by name, path, process id or inode number, or all that can be found.

mod error;
mod file;
mod here;
mod mounts;
mod reach;

use std::{
    fs::File,
    io,
    ops::{ControlFlow, Deref},
    os::{
        fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd},
        unix::ffi::OsStrExt as _,
        unix::fs::MetadataExt as _,
    },
    path::Path,
    sync::Arc,
    thread,
};

use super::helper;
use crate::outside::{Name, shown};

pub(crate) use error::NetnsError;
pub(crate) use reach::Hidden;

/// Directory of `ip netns` (a link to /var/run/netns on older systems, or the reverse).
const NAMES: &str = "/run/netns";

/// The values of `--netns`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Selector {
    /// The namespace of this process.
    Current,
    /// One namespace: an absolute path, a name under /run/netns, a process id, or an inode number, tried in that order.
    One(String),
    /// Every namespace that can be found.
    All,
}

impl Selector {
    /// Parses the value of `--netns`; without one, the current namespace.
    pub(crate) fn from_option(value: Option<&str>) -> Self {
        match value {
            None => Self::Current,
            Some("all") => Self::All,
            Some(one) => Self::One(one.to_owned()),
        }
    }
}

/// The name of a network namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetnsName {
    /// Its name under /run/netns, else the path of its mount, else its inode number: `--netns` accepts each.
    pub name: Name,
    /// Its inode number, as in eBPF records and `lsns`.
    pub inode: u64,
}

/// An open network namespace. The descriptor keeps the namespace alive.
#[derive(Debug)]
pub struct Netns {
    named: NetnsName,
    fd: Arc<OwnedFd>,
}

impl Deref for Netns {
    type Target = NetnsName;

    fn deref(&self) -> &NetnsName {
        &self.named
    }
}

impl Netns {
    fn renamed(mut self, name: String) -> Self {
        self.named.name = name.into();
        self
    }

    /// A namespace whose descriptor another process has opened.
    pub(super) fn received(name: String, inode: u64, fd: OwnedFd) -> Self {
        Self {
            named: NetnsName {
                name: name.into(),
                inode,
            },
            fd: Arc::new(fd),
        }
    }

    /// Clones the handle; both share one descriptor.
    #[must_use]
    pub fn share(&self) -> Self {
        Self {
            named: self.named.clone(),
            fd: Arc::clone(&self.fd),
        }
    }
}

impl AsFd for Netns {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// The namespaces found.
#[derive(Debug)]
pub(crate) struct Found {
    /// Each namespace once, those with a name first, by name; the others by inode number.
    pub namespaces: Vec<Netns>,
    /// The parts of the search that failed.
    pub hidden: Hidden,
}

/// Opens the namespaces that a selector selects.
pub(crate) fn open(selector: &Selector) -> Result<Found, NetnsError> {
    if let Some(found) = helper::open(selector) {
        return found;
    }
    let one = match selector {
        Selector::All => return all(),
        Selector::Current => current()?,
        Selector::One(wanted) => named(wanted)?,
    };
    Ok(Found {
        namespaces: vec![one],
        hidden: Hidden::default(),
    })
}

/// The namespace of the calling thread.
pub(crate) fn current() -> Result<Netns, NetnsError> {
    here::open().map(with_its_name)
}

/// Creates a new, empty namespace with the kernel's default settings. The kernel deletes it when this handle
/// is dropped.
pub fn fresh() -> Result<Netns, NetnsError> {
    let failed = |source| NetnsError::Make { source };
    in_thread(|| {
        // SAFETY: unshare has no pointer arguments and changes only the calling thread, which ends soon.
        if unsafe { libc::unshare(libc::CLONE_NEWNET) } != 0 {
            return Err(failed(io::Error::last_os_error()));
        }
        here::open()
    })
    .map_err(failed)?
}

/// Runs a function in a namespace, on a temporary thread: /proc/sys/net and new sockets belong to the
/// namespace of the thread that opens them.
pub(crate) fn inside<T: Send>(netns: BorrowedFd<'_>, work: impl FnOnce() -> T + Send) -> io::Result<T> {
    in_thread(|| {
        enter(netns)?;
        Ok(work())
    })?
}

/// Moves the calling thread into a namespace.
pub(crate) fn enter(netns: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: setns accepts any descriptor and changes only the calling thread.
    if unsafe { libc::setns(netns.as_raw_fd(), libc::CLONE_NEWNET) } == 0 {
        return Ok(());
    }
    let error = io::Error::last_os_error();
    // The kernel requires CAP_SYS_ADMIN also where the thread is already.
    let is_here = || here::open().is_ok_and(|here| inode(netns).is_ok_and(|inode| inode == here.inode));
    match error.kind() {
        io::ErrorKind::PermissionDenied if is_here() => Ok(()),
        _ => Err(error),
    }
}

/// Runs a function on a temporary thread.
pub(crate) fn in_thread<T: Send>(work: impl FnOnce() -> T + Send) -> io::Result<T> {
    thread::scope(|scope| {
        let thread = thread::Builder::new()
            .name("rsct-netns".into())
            .spawn_scoped(scope, work)
            .map_err(super::limits::no_thread)?;
        Ok(thread
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    })
}

/// The inode number of the namespace that `fd` refers to.
pub(crate) fn inode(fd: BorrowedFd<'_>) -> io::Result<u64> {
    Ok(File::from(fd.try_clone_to_owned()?).metadata()?.ino())
}

/// Opens the namespace with this inode number.
pub(crate) fn open_inode(inode: u64) -> Result<Netns, NetnsError> {
    if let Some(found) = helper::open_inode(inode) {
        return found;
    }
    by_inode(inode)?.ok_or_else(|| {
        no_such(
            &inode.to_string(),
            ", and no visible process, mount or open file refers to this inode number",
        )
    })
}

fn named(wanted: &str) -> Result<Netns, NetnsError> {
    if wanted.starts_with('/') {
        return open_path(wanted, Path::new(wanted)).map(with_its_name);
    }
    let path = Path::new(NAMES).join(wanted);
    // A path is not a name: `..` would leave the directory.
    if !wanted.is_empty() && !wanted.contains('/') && !wanted.starts_with('.') && path.exists() {
        let netns = open_path(&format!("{wanted} ({})", path.display()), &path)?;
        return Ok(netns.renamed(wanted.to_owned()));
    }
    let inode = match (wanted.parse::<u64>(), mounts::inode_in(wanted)) {
        (_, Some(inode)) => inode,
        // Inode numbers of namespaces start at 0xf0000000, process ids end at 0x400000.
        (Ok(number), None) if Path::new(&format!("/proc/{number}")).exists() => {
            let path = format!("/proc/{number}/ns/net");
            let wanted = format!("of process {number} ({path})");
            return open_path(&wanted, Path::new(&path)).map(with_its_name);
        }
        (Ok(number), None) => number,
        (Err(_), None) => return Err(no_such(wanted, "")),
    };
    let also = ", no process with this id, and no visible process, mount or open file refers to this inode \
         number";
    by_inode(inode)?.ok_or_else(|| no_such(wanted, also))
}

fn by_inode(inode: u64) -> Result<Option<Netns>, NetnsError> {
    let mut found = None;
    reach::walk(|netns| {
        if netns.inode == inode {
            found = Some(netns);
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    })?;
    Ok(found)
}

fn all() -> Result<Found, NetnsError> {
    let mut namespaces = Vec::new();
    let hidden = reach::walk(|netns| {
        namespaces.push(netns);
        ControlFlow::Continue(())
    })?;
    namespaces.sort_by_cached_key(|netns| {
        let is_number = netns.name.as_str() == netns.inode.to_string();
        (is_number, (!is_number).then(|| netns.name.clone()), netns.inode)
    });
    Ok(Found { namespaces, hidden })
}

fn open_path(wanted: &str, path: &Path) -> Result<Netns, NetnsError> {
    file::open(path, None).map_err(|source| NetnsError::Open {
        wanted: wanted.to_owned(),
        source,
    })
}

fn with_its_name(netns: Netns) -> Netns {
    match reach::name_of(netns.inode) {
        Some(name) => netns.renamed(name),
        None => netns,
    }
}

fn no_such(wanted: &str, also: &'static str) -> NetnsError {
    let names: Vec<String> = reach::names().iter().map(|name| shown(name.as_bytes())).collect();
    let existing = if names.is_empty() {
        "there are no names there (`ip netns add NAME` creates one)".to_owned()
    } else {
        format!("existing names: {}", names.join(", "))
    };
    NetnsError::NoSuchName {
        wanted: wanted.to_owned(),
        also,
        existing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_current_namespace_is_found_by_process_and_by_inode_too() {
        let here = current().unwrap();
        assert_eq!(inode(here.as_fd()).unwrap(), here.inode);
        let by_pid = named(&std::process::id().to_string()).unwrap();
        assert_eq!(by_pid.inode, here.inode);
        let by_inode = named(&here.inode.to_string()).unwrap();
        assert_eq!(by_inode.inode, here.inode);
        assert!(
            all()
                .unwrap()
                .namespaces
                .iter()
                .any(|netns| netns.inode == here.inode)
        );
    }

    #[test]
    fn missing_namespaces_are_named() {
        for wanted in ["rsct-no-such-namespace", "..", "../../etc/passwd", ""] {
            let error = named(wanted).unwrap_err().to_string();
            assert!(error.starts_with("opening network namespace"), "{error}");
            assert!(error.contains("no such name under /run/netns"), "{error}");
        }
        let error = named("4000000000").unwrap_err().to_string();
        assert!(error.contains("no process"), "{error}");
    }

    #[test]
    fn work_runs_in_a_fresh_namespace() {
        let here = current().unwrap().inode;
        match fresh() {
            Ok(fresh) => {
                assert_ne!(fresh.inode, here);
                let inode = inside(fresh.as_fd(), || current().unwrap().inode).unwrap();
                assert_eq!(inode, fresh.inode);
            }
            Err(error) => assert!(error.to_string().contains("CAP_SYS_ADMIN"), "{error}"),
        }
        assert_eq!(
            current().unwrap().inode,
            here,
            "the threads took the step with them"
        );
    }

    #[test]
    fn all_is_a_selector() {
        assert_eq!(Selector::from_option(Some("all")), Selector::All);
        assert_eq!(Selector::from_option(Some("red")), Selector::One("red".into()));
        assert_eq!(Selector::from_option(None), Selector::Current);
    }
}
