//! Finds every network namespace that a name, mount, process, thread or open file refers to.

use std::{
    collections::BTreeSet,
    ffi::OsString,
    fs, io,
    ops::ControlFlow,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use super::{NAMES, Netns, NetnsError, file, mounts};

/// The parts of the search that failed, so that namespaces may be missing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Hidden {
    /// Number of processes whose namespaces this process may not inspect.
    pub processes: usize,
    /// True if /proc hides other users' processes (its mount option `hidepid`).
    pub unlisted: bool,
}

/// Visits each namespace once until `visit` ends the walk, cheap sources first: names, mounts, processes;
/// then mounts in other mount namespaces, threads and open files.
pub(super) fn walk(visit: impl FnMut(Netns) -> ControlFlow<()>) -> Result<Hidden, NetnsError> {
    let mut walk = Walk {
        seen: BTreeSet::new(),
        hidden: Hidden::default(),
        visit,
    };
    match walk.all() {
        Ok(()) | Err(Stop::Enough) => Ok(walk.hidden),
        Err(Stop::Failed(error)) => Err(error),
    }
}

/// File names in the `ip netns` directory, which may not exist.
pub(super) fn names() -> Vec<OsString> {
    let mut names: Vec<OsString> = fs::read_dir(NAMES)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.file_name())
        .collect();
    names.sort();
    names
}

/// The name or the mount path of a namespace.
pub(super) fn name_of(inode: u64) -> Option<String> {
    let is_it = |name: &OsString| {
        fs::metadata(Path::new(NAMES).join(name)).is_ok_and(|metadata| metadata.ino() == inode)
    };
    if let Some(name) = names().into_iter().find(is_it) {
        return Some(name.to_string_lossy().into_owned());
    }
    let mountinfo = fs::read("/proc/self/mountinfo").ok()?;
    let mount = mounts::of(&mountinfo).find(|mount| mount.inode == inode)?;
    Some(mount.path.to_string_lossy().into_owned())
}

/// The cause of an early end of the walk.
enum Stop {
    Enough,
    Failed(NetnsError),
}

struct Walk<F> {
    seen: BTreeSet<u64>,
    hidden: Hidden,
    visit: F,
}

/// A process that may be inspected.
struct Process {
    pid: u32,
    path: PathBuf,
}

impl<F: FnMut(Netns) -> ControlFlow<()>> Walk<F> {
    fn all(&mut self) -> Result<(), Stop> {
        for name in names() {
            let path = Path::new(NAMES).join(&name);
            self.visit_path(&path, Some(name.to_string_lossy().into_owned()))?;
        }
        // If /proc is missing, both reads fail; the directory's error is clearer.
        let pids = pids().map_err(Stop::Failed)?;
        self.mounts(Path::new("/proc/self"), Path::new("/"))?;
        let processes = self.processes(&pids)?;
        self.mounts_elsewhere(&processes)?;
        for process in &processes {
            self.threads(process)?;
        }
        let own = program(Path::new("/proc/self"));
        for process in &processes {
            // Skip other rsct processes, which hold namespaces open: two watching ones would keep them alive
            // for each other.
            if own.is_none() || program(&process.path) != own {
                self.files(&process.path.join("fd"))?;
            }
        }
        Ok(())
    }

    /// Opens the namespace at a path, unless it was visited before: opening one for each of a thousand
    /// processes would be slow.
    fn visit_path(&mut self, path: &Path, name: Option<String>) -> Result<(), Stop> {
        match fs::metadata(path) {
            Ok(metadata) if !self.seen.contains(&metadata.ino()) => self.open(path, name),
            // Visited before, or deleted.
            _ => Ok(()),
        }
    }

    fn open(&mut self, path: &Path, name: Option<String>) -> Result<(), Stop> {
        match file::open(path, name) {
            Ok(netns) if self.seen.insert(netns.inode) => match (self.visit)(netns) {
                ControlFlow::Continue(()) => Ok(()),
                ControlFlow::Break(()) => Err(Stop::Enough),
            },
            Err(source) if matches!(source.raw_os_error(), Some(libc::EMFILE | libc::ENFILE)) => {
                let wanted = path.display().to_string();
                Err(Stop::Failed(NetnsError::Open { wanted, source }))
            }
            // Visited before, deleted, or not a namespace.
            _ => Ok(()),
        }
    }

    /// Visits the mounts that a process sees under its root.
    fn mounts(&mut self, process: &Path, root: &Path) -> Result<(), Stop> {
        let path = process.join("mountinfo");
        let Ok(mountinfo) = fs::read(&path) else {
            return Ok(());
        };
        for mount in mounts::of(&mountinfo) {
            if !self.seen.contains(&mount.inode) {
                let name = (root == Path::new("/")).then(|| mount.path.to_string_lossy().into_owned());
                let inside = mount.path.strip_prefix("/").unwrap_or(&mount.path);
                self.open(&root.join(inside), name)?;
            }
        }
        Ok(())
    }

    /// Visits the namespaces of processes. Returns the processes that may be inspected.
    fn processes(&mut self, pids: &[u32]) -> Result<Vec<Process>, Stop> {
        // Process 1 exists in every process namespace.
        self.hidden.unlisted = !pids.contains(&1);
        let mut processes = Vec::new();
        for pid in pids {
            let path = PathBuf::from(format!("/proc/{pid}"));
            let netns = path.join("ns/net");
            match fs::metadata(&netns) {
                Ok(metadata) if !self.seen.contains(&metadata.ino()) => self.open(&netns, None)?,
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                    self.hidden.processes += 1;
                    continue;
                }
                // Visited before, or the process's first thread has ended and others may still run.
                _ => {}
            }
            processes.push(Process { pid: *pid, path });
        }
        Ok(processes)
    }

    /// Visits the mounts in the mount namespaces of other processes, each mount namespace once.
    fn mounts_elsewhere(&mut self, processes: &[Process]) -> Result<(), Stop> {
        let number = |process: &Path| fs::metadata(process.join("ns/mnt")).map(|metadata| metadata.ino());
        let mut visited_mounts: BTreeSet<u64> = number(Path::new("/proc/self")).into_iter().collect();
        for process in processes {
            if number(&process.path).is_ok_and(|number| visited_mounts.insert(number)) {
                self.mounts(&process.path, &process.path.join("root"))?;
            }
        }
        Ok(())
    }

    /// Visits threads with namespaces of their own, and files of threads that do not share the process's.
    fn threads(&mut self, process: &Process) -> Result<(), Stop> {
        // The directory's link count: two, plus one per thread.
        let tasks = process.path.join("task");
        if fs::metadata(&tasks).is_ok_and(|metadata| metadata.nlink() == 3) {
            return Ok(());
        }
        for tid in numbers(&tasks).unwrap_or_default() {
            let thread = tasks.join(tid.to_string());
            self.visit_path(&thread.join("ns/net"), None)?;
            if tid != process.pid && !share_files(process.pid, tid) {
                self.files(&thread.join("fd"))?;
            }
        }
        Ok(())
    }

    /// Visits open files that refer to namespaces. Links are read but not followed: a file system that does
    /// not respond must not block this.
    fn files(&mut self, directory: &Path) -> Result<(), Stop> {
        for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
            let path = entry.path();
            let Ok(link) = fs::read_link(&path) else { continue };
            match mounts::inode_in(&link.to_string_lossy()) {
                Some(inode) if !self.seen.contains(&inode) => self.open(&path, None)?,
                // A file opened through a mount that no longer exists has the link `/`.
                None if link == Path::new("/") => self.visit_path(&path, None)?,
                _ => {}
            }
        }
        Ok(())
    }
}

/// Device and inode of a process's executable.
fn program(process: &Path) -> Option<(u64, u64)> {
    let metadata = fs::metadata(process.join("exe")).ok()?;
    Some((metadata.dev(), metadata.ino()))
}

/// Returns whether two threads share their open files. If the kernel does not report it, assume yes, as most
/// do.
fn share_files(one: u32, other: u32) -> bool {
    /// `KCMP_FILES` (include/uapi/linux/kcmp.h).
    const KCMP_FILES: libc::c_int = 2;
    // SAFETY: kcmp has no pointer arguments.
    unsafe { libc::syscall(libc::SYS_kcmp, one, other, KCMP_FILES, 0, 0) <= 0 }
}

/// The process ids in /proc, which contains at least this process if it is mounted.
fn pids() -> Result<Vec<u32>, NetnsError> {
    match numbers(Path::new("/proc")) {
        Ok(pids) if pids.is_empty() => Err(NetnsError::NoProc),
        Ok(pids) => Ok(pids),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(NetnsError::NoProc),
        Err(source) => Err(NetnsError::List {
            path: "/proc".to_owned(),
            source,
        }),
    }
}

/// The directory's entries whose names are numbers.
fn numbers(directory: &Path) -> io::Result<Vec<u32>> {
    let mut numbers = Vec::new();
    for entry in fs::read_dir(directory)? {
        numbers.extend(
            entry?
                .file_name()
                .to_str()
                .and_then(|name| name.parse::<u32>().ok()),
        );
    }
    Ok(numbers)
}
