//! Network namespaces: by name, by process, by inode number, or all that can be reached.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io,
    os::{
        fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd},
        unix::fs::MetadataExt as _,
    },
    path::Path,
    sync::Arc,
    thread,
};

use thiserror::Error;

/// Where `ip netns` keeps its names (a link to /var/run/netns on older systems, or the other way).
const NAMES: &str = "/run/netns";
/// The type of namespaces' own file system; libc's constant and field differ in type between C libraries.
const NSFS_MAGIC: i128 = 0x6e73_6673;

/// Why a network namespace can't be had.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum NetnsError {
    /// Nothing goes by that name.
    #[error("opening network namespace {wanted:?}: no such name under /run/netns{also}; {existing}")]
    NoSuchName {
        /// What was asked for.
        wanted: String,
        /// What else it was looked for as.
        also: &'static str,
        /// What there is.
        existing: String,
    },
    /// It is there and can't be opened.
    #[error("opening network namespace {wanted} ({path}): {source}{}", hint(source))]
    Open {
        /// What was asked for.
        wanted: String,
        /// Where it is.
        path: String,
        /// What the kernel said.
        source: io::Error,
    },
    /// There can be no new one.
    #[error("making a network namespace: {source}{}", hint_to_make(source))]
    Make {
        /// What the kernel said.
        source: io::Error,
    },
}

/// What `--netns` may ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selector {
    /// The namespace of this process.
    Current,
    /// One namespace: a name under /run/netns, a process id, or an inode number, tried in that order.
    One(String),
    /// Every namespace that a name or a process leads to.
    All,
}

impl Selector {
    /// What the value of `--netns` means; without one, the current namespace.
    pub fn from_option(value: Option<&str>) -> Self {
        match value {
            None => Self::Current,
            Some("all") => Self::All,
            Some(one) => Self::One(one.to_owned()),
        }
    }
}

/// An open network namespace. It lives as long as this does.
#[derive(Debug)]
pub struct Netns {
    /// What people know it by: its name under /run/netns, else its inode number.
    pub name: String,
    /// Its inode number, by which eBPF programs and `lsns` know it.
    pub inode: u64,
    fd: Arc<OwnedFd>,
}

impl Netns {
    /// Another handle on it, with the same descriptor.
    #[must_use]
    pub fn share(&self) -> Self {
        Self {
            name: self.name.clone(),
            inode: self.inode,
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
pub struct Found {
    /// Each namespace once, those with a name first, by name; the others by inode number.
    pub namespaces: Vec<Netns>,
    /// Processes whose namespace may not be looked at.
    pub hidden_processes: usize,
}

/// Opens the namespaces that a selector asks for.
pub fn open(selector: &Selector) -> Result<Found, NetnsError> {
    let one = match selector {
        Selector::All => return Ok(all()),
        Selector::Current => current()?,
        Selector::One(wanted) => named(wanted)?,
    };
    Ok(Found {
        namespaces: vec![one],
        hidden_processes: 0,
    })
}

/// The namespace of the calling thread.
pub fn current() -> Result<Netns, NetnsError> {
    let mut current = open_path("of this process", Path::new("/proc/thread-self/ns/net"), None)?;
    if let Some((name, _)) = names().find(|(_, netns)| netns.inode == current.inode) {
        current.name = name;
    }
    Ok(current)
}

/// Makes a namespace that nobody else is in, where everything is as the kernel has it from the start. It goes when this
/// handle on it does.
pub fn fresh() -> Result<Netns, NetnsError> {
    let failed = |source| NetnsError::Make { source };
    in_thread(|| {
        // SAFETY: unshare takes no pointers and changes the calling thread alone, which ends soon.
        if unsafe { libc::unshare(libc::CLONE_NEWNET) } != 0 {
            return Err(failed(io::Error::last_os_error()));
        }
        open_path("just made", Path::new("/proc/thread-self/ns/net"), None)
    })
    .map_err(failed)?
}

/// Does something in a namespace, on a thread that steps into it and ends there: /proc/sys/net and new sockets are
/// those of whoever opens them.
pub fn inside<T: Send>(netns: BorrowedFd<'_>, work: impl FnOnce() -> T + Send) -> io::Result<T> {
    in_thread(|| {
        // SAFETY: setns takes any descriptor and changes the calling thread alone.
        if unsafe { libc::setns(netns.as_raw_fd(), libc::CLONE_NEWNET) } != 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(work())
    })?
}

fn in_thread<T: Send>(work: impl FnOnce() -> T + Send) -> io::Result<T> {
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
pub fn inode(fd: BorrowedFd<'_>) -> io::Result<u64> {
    Ok(File::from(fd.try_clone_to_owned()?).metadata()?.ino())
}

fn named(wanted: &str) -> Result<Netns, NetnsError> {
    let path = Path::new(NAMES).join(wanted);
    // A path is no name: `..` would lead out of the directory.
    if !wanted.is_empty() && !wanted.contains('/') && !wanted.starts_with('.') && path.exists() {
        return open_path(wanted, &path, Some(wanted.to_owned()));
    }
    let Ok(number) = wanted.parse::<u64>() else {
        return Err(no_such(wanted, ""));
    };
    let path = format!("/proc/{number}/ns/net");
    // Inode numbers of namespaces start at 0xf0000000, process ids end at 0x400000.
    if Path::new(&format!("/proc/{number}")).exists() {
        let mut netns = open_path(&format!("of process {number}"), Path::new(&path), None)?;
        if let Some((name, _)) = names().find(|(_, known)| known.inode == netns.inode) {
            netns.name = name;
        }
        return Ok(netns);
    }
    let also = ", no process with this id, and no namespace with this inode number in reach";
    let found = all().namespaces.into_iter().find(|netns| netns.inode == number);
    found.ok_or_else(|| no_such(wanted, also))
}

/// Every namespace that a name under /run/netns or a process leads to.
fn all() -> Found {
    let mut seen = BTreeSet::new();
    let mut namespaces = Vec::new();
    for (_, netns) in names() {
        if seen.insert(netns.inode) {
            namespaces.push(netns);
        }
    }
    let mut unnamed = Vec::new();
    let mut hidden_processes = 0;
    for process in entries("/proc") {
        if process.parse::<u32>().is_err() {
            continue;
        }
        let path = format!("/proc/{process}/ns/net");
        // Opening one for each of a thousand processes would be a waste: look first.
        match fs::metadata(&path) {
            Ok(metadata) if !seen.contains(&metadata.ino()) => {
                if let Ok(netns) = open_path(&process, Path::new(&path), None)
                    && seen.insert(netns.inode)
                {
                    unnamed.push(netns);
                }
            }
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => hidden_processes += 1,
            // Seen already, or the process has just ended.
            _ => {}
        }
    }
    unnamed.sort_by_key(|netns| netns.inode);
    namespaces.append(&mut unnamed);
    Found {
        namespaces,
        hidden_processes,
    }
}

/// The namespaces with a name that can be opened, by name.
fn names() -> impl Iterator<Item = (String, Netns)> {
    let mut names = entries(NAMES);
    names.sort();
    names.into_iter().filter_map(|name| {
        let netns = open_path(&name, &Path::new(NAMES).join(&name), Some(name.clone())).ok()?;
        Some((name, netns))
    })
}

fn entries(directory: &str) -> Vec<String> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect()
}

fn open_path(wanted: &str, path: &Path, name: Option<String>) -> Result<Netns, NetnsError> {
    let open = || {
        let file = File::open(path)?;
        let inode = file.metadata()?.ino();
        // A name whose namespace is gone is an empty file on another file system.
        if !is_namespace(&file)? {
            return Err(io::Error::new(
                io::ErrorKind::NotFound,
                "the name is left, its namespace is gone",
            ));
        }
        Ok(Netns {
            name: name.unwrap_or_else(|| inode.to_string()),
            inode,
            fd: Arc::new(file.into()),
        })
    };
    open().map_err(|source| NetnsError::Open {
        wanted: wanted.to_owned(),
        path: path.display().to_string(),
        source,
    })
}

/// Whether a file is a namespace's: they live on a file system of their own.
fn is_namespace(file: &File) -> io::Result<bool> {
    // SAFETY: all-zero bytes are a valid statfs.
    let mut stat: libc::statfs = unsafe { std::mem::zeroed() };
    // SAFETY: the descriptor is open, and the room outlives the call.
    if unsafe { libc::fstatfs(std::os::fd::AsRawFd::as_raw_fd(file), &raw mut stat) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // Signed with one libc, unsigned with another.
    Ok(i128::from(stat.f_type) == NSFS_MAGIC)
}

fn no_such(wanted: &str, also: &'static str) -> NetnsError {
    let mut names = entries(NAMES);
    names.sort();
    let existing = if names.is_empty() {
        "there are no names there (`ip netns add NAME` makes one)".to_owned()
    } else {
        format!("there are: {}", names.join(", "))
    };
    NetnsError::NoSuchName {
        wanted: wanted.to_owned(),
        also,
        existing,
    }
}

fn hint(source: &io::Error) -> &'static str {
    if source.kind() == io::ErrorKind::PermissionDenied {
        "; run as root or with the capability CAP_SYS_PTRACE"
    } else {
        ""
    }
}

fn hint_to_make(source: &io::Error) -> &'static str {
    if source.kind() == io::ErrorKind::PermissionDenied {
        "; run as root or with the capability CAP_SYS_ADMIN"
    } else {
        ""
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
        assert!(all().namespaces.iter().any(|netns| netns.inode == here.inode));
    }

    #[test]
    fn what_does_not_exist_is_said() {
        for wanted in ["rsct-no-such-namespace", "..", "../../etc/passwd", ""] {
            let error = named(wanted).unwrap_err().to_string();
            assert!(error.starts_with("opening network namespace"), "{error}");
            assert!(error.contains("no such name under /run/netns"), "{error}");
        }
        let error = named("4000000000").unwrap_err().to_string();
        assert!(error.contains("no process"), "{error}");
    }

    #[test]
    fn a_fresh_one_is_another_and_is_worked_in() {
        let here = current().unwrap().inode;
        match fresh() {
            Ok(fresh) => {
                assert_ne!(fresh.inode, here);
                let there = inside(fresh.as_fd(), || current().unwrap().inode).unwrap();
                assert_eq!(there, fresh.inode);
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
    fn an_ordinary_file_is_no_namespace() {
        let error = open_path("x", Path::new("/etc/passwd"), None)
            .unwrap_err()
            .to_string();
        assert!(error.contains("gone"), "{error}");
    }

    #[test]
    fn all_is_a_word_of_its_own() {
        assert_eq!(Selector::from_option(Some("all")), Selector::All);
        assert_eq!(Selector::from_option(Some("red")), Selector::One("red".into()));
        assert_eq!(Selector::from_option(None), Selector::Current);
    }
}
