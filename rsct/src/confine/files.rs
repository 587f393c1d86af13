//! Restricts access to files with Landlock.

use std::{
    fs, io,
    os::{fd::OwnedFd, unix::fs::MetadataExt as _},
    path::Path,
};

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, PathBeneath, PathFd, PathFdError, Ruleset, RulesetAttr as _,
    RulesetCreated, RulesetCreatedAttr as _, RulesetError,
};

use super::Needs;

/// The newest version of Landlock whose restrictions are used; an older kernel has fewer.
const VERSION: ABI = ABI::V4;

/// Files and directories that every command reads: processes, settings and types, names of namespaces, the time zone.
const READABLE: [&str; 6] = [
    "/proc",
    "/sys",
    "/run/netns",
    "/var/run/netns",
    "/usr/share/zoneinfo",
    "/etc/localtime",
];

/// The rules for `needs`: no file is opened otherwise, none is executed, and no TCP socket is bound or connected. None if
/// the kernel has no Landlock.
pub(super) fn rules(needs: &Needs) -> Result<Option<OwnedFd>, RulesError> {
    made(needs).map(Option::from)
}

/// The rules cannot be made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RulesError {
    /// The kernel refuses a rule.
    #[error(transparent)]
    Refused(#[from] RulesetError),
    /// A directory cannot be opened.
    #[error(transparent)]
    Path(#[from] PathFdError),
}

fn made(needs: &Needs) -> Result<RulesetCreated, RulesError> {
    let read = AccessFs::ReadFile | AccessFs::ReadDir;
    let write = AccessFs::ReadFile | AccessFs::WriteFile | AccessFs::Truncate;
    let mut rules = Ruleset::default()
        .handle_access(AccessFs::from_all(VERSION))?
        .handle_access(AccessNet::from_all(VERSION))?
        .create()?;
    for path in READABLE {
        rules = allow(rules, Path::new(path), read)?;
    }
    // The child that detaches programs replaces its standard streams.
    rules = allow(rules, Path::new("/dev/null"), write)?;
    if needs.terminal {
        rules = allow(rules, Path::new("/dev/tty"), write)?;
    }
    for directory in &needs.writable {
        let rotate = write | AccessFs::ReadDir | AccessFs::MakeReg | AccessFs::RemoveFile;
        rules = allow(rules, directory, rotate)?;
    }
    Ok(rules)
}

/// Allows access beneath a path, if it exists.
fn allow(
    rules: RulesetCreated,
    path: &Path,
    access: landlock::BitFlags<AccessFs>,
) -> Result<RulesetCreated, RulesError> {
    match PathFd::new(path) {
        Ok(fd) => Ok(rules.add_rule(PathBeneath::new(fd, access))?),
        Err(PathFdError::OpenCall { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(rules),
        Err(error) => Err(error.into()),
    }
}

/// Returns whether this process may create and rename files in a directory without capabilities.
pub(crate) fn may_create_in(directory: &Path) -> bool {
    let Ok(metadata) = fs::metadata(directory) else {
        return false;
    };
    // SAFETY: plain calls.
    let (uid, gid) = unsafe { (libc::geteuid(), libc::getegid()) };
    may_write(metadata.mode(), metadata.uid() == uid, metadata.gid() == gid)
}

/// Evaluates the permissions of a directory: write and search.
fn may_write(mode: u32, is_owner: bool, is_group: bool) -> bool {
    let shift = match (is_owner, is_group) {
        (true, _) => 6,
        (false, true) => 3,
        (false, false) => 0,
    };
    mode >> shift & 0o3 == 0o3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permissions_are_those_of_the_nearest_class() {
        assert!(may_write(0o755, true, false));
        assert!(!may_write(0o755, false, true));
        assert!(may_write(0o775, false, true));
        assert!(!may_write(0o775, false, false));
        assert!(may_write(0o1777, false, false));
        // The owner's bits count, even if others have more.
        assert!(!may_write(0o077, true, true));
        assert!(!may_write(0o644, true, true));
    }

    #[test]
    fn rules_are_made_or_the_kernel_has_none() {
        let needs = Needs {
            writable: vec!["/tmp".into(), "/no/such/directory".into()],
            terminal: true,
            ..Needs::default()
        };
        assert!(rules(&needs).is_ok());
    }
}
