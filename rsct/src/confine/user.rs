//! The user of `--user`, and the file that it continues to write.

use std::{
    fs, io,
    os::{fd::AsRawFd as _, unix::fs::OpenOptionsExt as _},
    path::Path,
};

use crate::kernel::threads::Ids;

const PASSWD: &str = "/etc/passwd";

/// The user cannot be found.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UserError {
    /// No line of the file has the name.
    #[error("--user: {PASSWD} has no user {0:?}; give a user of this machine, or a number")]
    Unknown(String),
    /// The file cannot be read.
    #[error("--user: reading {PASSWD}: {0}; give the user's number")]
    Unreadable(#[source] io::Error),
}

/// Finds a user by name or number.
pub(crate) fn look_up(wanted: &str) -> Result<Ids, UserError> {
    // for setresuid(2) the last number is "unchanged".
    let number = wanted.parse().ok().filter(|number| *number != u32::MAX);
    let passwd = match (fs::read_to_string(PASSWD), number) {
        (Ok(passwd), _) => passwd,
        (Err(_), Some(_)) => String::new(),
        (Err(error), None) => return Err(UserError::Unreadable(error)),
    };
    find(&passwd, wanted)
        // A number may belong to no user here.
        .or_else(|| {
            number.map(|number| Ids {
                uid: number,
                gid: number,
            })
        })
        .ok_or_else(|| UserError::Unknown(wanted.to_owned()))
}

/// Finds a user in lines such as `nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin`.
fn find(passwd: &str, wanted: &str) -> Option<Ids> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, _, uid, gid) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
        let ids = Ids {
            uid: uid.parse().ok()?,
            gid: gid.parse().ok()?,
        };
        (name == wanted || uid == wanted).then_some(ids)
    })
}

/// Assigns an ordinary file to a user, who will rename it.
pub(crate) fn give(path: &Path, to: Ids) -> io::Result<()> {
    let file = fs::OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
        .open(path)?;
    if !file.metadata()?.is_file() {
        return Ok(());
    }
    // SAFETY: a plain call with an open descriptor.
    match unsafe { libc::fchown(file.as_raw_fd(), to.uid, to.gid) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_found_by_name_and_number() {
        let passwd = "root:x:0:0:root:/root:/bin/bash\n+::::::\nrsct:x:977:975::/:/bin/false\n";
        let rsct = Some(Ids { uid: 977, gid: 975 });
        assert_eq!(find(passwd, "rsct"), rsct);
        assert_eq!(find(passwd, "977"), rsct);
        assert_eq!(find(passwd, "975"), None);
        assert_eq!(find(passwd, ""), None);
    }

    #[test]
    fn a_number_needs_no_line_and_a_name_does() {
        assert_eq!(
            look_up("4000000").unwrap(),
            Ids {
                uid: 4_000_000,
                gid: 4_000_000
            }
        );
        let error = look_up("no-such-user").unwrap_err().to_string();
        assert!(error.contains("no user \"no-such-user\""), "{error}");
    }
}
