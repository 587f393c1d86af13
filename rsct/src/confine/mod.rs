//! Drops the privileges that a command no longer needs once it has attached its programs.
//!
//! [`Needs`] is the table: each command, and what it keeps. [`Confinement::apply`] is the one function that drops the rest.
//! docs/privileges.md lists both for users.

mod files;
mod needs;
mod notify;
mod user;

use std::{
    io,
    os::fd::AsRawFd as _,
    path::{Path, PathBuf},
};

use files::RulesError;
pub(crate) use files::may_create_in;
pub(crate) use needs::{GROUPS, Group, Needs, Task, setcap};
use notify::Notify;
pub(crate) use user::{give, look_up};

use crate::kernel::{
    helper,
    privileges::Privileges,
    proc,
    threads::{self, ChangeError, Credentials, Ids},
};

/// The privileges could not be dropped.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfineError {
    /// The capabilities of this process are unknown.
    #[error("dropping privileges: {0}; --keep-privileges keeps them")]
    Unknown(#[source] io::Error),
    /// The helper cannot start.
    #[error(
        "starting the process rsct-helper, which keeps the privileges to open namespaces: {0}; --keep-privileges runs without it"
    )]
    Helper(#[source] io::Error),
    /// Landlock's rules cannot be made.
    #[error("restricting files with Landlock: {0}; --keep-privileges does not restrict them")]
    Rules(#[from] RulesError),
    /// A system call failed.
    #[error("dropping privileges: {0}; --keep-privileges keeps them")]
    Change(#[from] ChangeError),
    /// The recorder could not rotate its file.
    #[error(
        "recording to {}: user {uid} may not create files in {}, which --max-size needs; run `chown {uid} {}`, or omit --user",
        .file.display(), .directory.display(), .directory.display()
    )]
    Directory {
        /// The file.
        file: PathBuf,
        /// Its directory.
        directory: PathBuf,
        /// The user.
        uid: u32,
    },
}

/// The end of a command's start: what it drops then, and the service manager that waits for it.
#[derive(Debug)]
pub(crate) struct Confinement {
    needs: Option<Needs>,
    user: Option<Ids>,
    notify: Option<Notify>,
}

impl Confinement {
    /// Drops everything except `needs`, and changes to `user`; without needs, all privileges stay.
    pub(crate) fn of(needs: Option<Needs>, user: Option<Ids>) -> Self {
        Self {
            needs,
            user,
            notify: Notify::from_environment(),
        }
    }

    /// Returns whether privileges will be dropped.
    pub(crate) fn drops(&self) -> bool {
        self.needs.is_some()
    }

    /// Drops the privileges of all threads, and reports to the service manager that the command has started. To be called
    /// once everything is attached. The end of the returned value reports the end.
    pub(crate) fn apply(self) -> Result<Option<Notify>, ConfineError> {
        if let Some(needs) = &self.needs {
            drop_all_but(needs, self.user)?;
        }
        if let Some(notify) = &self.notify {
            notify.ready();
        }
        Ok(self.notify)
    }
}

fn drop_all_but(needs: &Needs, user: Option<Ids>) -> Result<(), ConfineError> {
    if let Some(why) = proc::missing() {
        // The threads of this process are listed there.
        message!("{why}: privileges are not dropped");
        return Ok(());
    }
    let held = Privileges::of_this_process()
        .map_err(ConfineError::Unknown)?
        .effective();
    let mut main = needs.main;
    if user.is_none() {
        main = main.or(needs.of_files());
    }
    if let Some(of_helper) = needs.helper {
        helper::start(of_helper.and(held), user).map_err(ConfineError::Helper)?;
    }
    let rules = files::rules(needs)?;
    if rules.is_none() {
        message!("this kernel has no Landlock: access to files is not restricted");
    }
    threads::change(Credentials {
        user,
        capabilities: main.and(held),
        rules: rules.as_ref().map(|rules| rules.as_raw_fd()),
    })?;
    match (&needs.rotates, user) {
        (Some(file), Some(Ids { uid, .. })) if !may_create_in(directory(file)) => {
            Err(ConfineError::Directory {
                file: file.clone(),
                directory: directory(file).to_owned(),
                uid,
            })
        }
        _ => Ok(()),
    }
}

/// The directory of a file.
fn directory(file: &Path) -> &Path {
    match file.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_a_directory_is_in_the_current_one() {
        assert_eq!(directory(Path::new("a.rsct")), Path::new("."));
        assert_eq!(directory(Path::new("/a.rsct")), Path::new("/"));
        assert_eq!(directory(Path::new("b/a.rsct")), Path::new("b"));
    }
}
