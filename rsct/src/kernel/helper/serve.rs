//! The helper's side.

use std::{
    ffi::{OsStr, OsString},
    io,
    os::{
        fd::{AsFd as _, BorrowedFd, FromRawFd as _, OwnedFd},
        unix::net::UnixStream,
    },
    path::Path,
    process::ExitCode,
};

use super::{
    NAME,
    wire::{self, Answer, MOST_FDS, Request},
};
use crate::{
    kernel::{
        interfaces, limits, netlink_sockets,
        netns::{self, Found, Hidden, Netns, NetnsError, Selector},
        portid,
        privileges::CapabilitySet,
        sysctl::Where,
        threads::{self, Credentials, Ids},
    },
    netlink::{self, Error},
};

/// Returns whether this process is the helper.
pub(crate) fn is_invoked_as(program: &OsStr) -> bool {
    Path::new(program).file_name() == Some(OsStr::new(NAME))
}

/// Serves requests until rsct ends.
pub(crate) fn run(args: impl Iterator<Item = OsString>) -> ExitCode {
    let args: Vec<String> = args.skip(1).filter_map(|arg| arg.into_string().ok()).collect();
    let Some(credentials) = credentials(&args) else {
        message!("rsct starts rsct-helper itself");
        return ExitCode::from(2);
    };
    // SAFETY: plain calls. rsct's end ends this process: a signal to all of its group must not.
    unsafe {
        libc::prctl(libc::PR_SET_NAME, c"rsct-helper".as_ptr());
        libc::setsid();
        for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP] {
            libc::signal(signal, libc::SIG_IGN);
        }
    }
    limits::raise_open_files();
    let changed = threads::change(credentials).map_err(|error| error.to_string());
    // SAFETY: standard input is the socket; nothing else uses it.
    let socket = UnixStream::from(unsafe { OwnedFd::from_raw_fd(0) });
    match serve(&socket, &changed) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            message!("{NAME}: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Reads the command line: the capabilities, and perhaps a user and a group.
fn credentials(args: &[String]) -> Option<Credentials> {
    let (capabilities, user) = match args {
        [capabilities] => (capabilities, None),
        [capabilities, uid, gid] => {
            let (uid, gid) = (uid.parse().ok()?, gid.parse().ok()?);
            (capabilities, Some(Ids { uid, gid }))
        }
        _ => return None,
    };
    Some(Credentials {
        user,
        capabilities: CapabilitySet(u64::from_str_radix(capabilities, 16).ok()?),
        rules: None,
    })
}

fn serve(socket: &UnixStream, changed: &Result<(), String>) -> io::Result<()> {
    while let (Some(request), fds) = wire::receive::<Request>(socket)? {
        if let Err(why) = changed {
            wire::send(socket, &Answer::Failed(why.clone(), None), &[])?;
            continue;
        }
        let netns = fds.first().map(|fd| fd.as_fd());
        match (request, netns) {
            (Request::Open(name), _) => {
                let selector = name.map_or(Selector::All, Selector::One);
                answer_found(socket, netns::open(&selector))?;
            }
            (Request::OpenInode(inode), _) => answer_found(
                socket,
                netns::open_inode(inode).map(|netns| Found {
                    namespaces: vec![netns],
                    hidden: Hidden::default(),
                }),
            )?,
            (Request::Socket, Some(netns)) => match netlink::open_in(netns) {
                Ok(fd) => wire::send(socket, &Answer::Done, &[fd.as_fd()])?,
                Err(Error::EnterNamespace { source, .. }) => wire::send(socket, &failed(&source), &[])?,
                Err(error) => wire::send(socket, &Answer::Failed(error.to_string(), None), &[])?,
            },
            (request, netns) => {
                let answer = answer(request, netns).unwrap_or_else(|error| failed(&error));
                wire::send(socket, &answer, &[])?;
            }
        }
    }
    Ok(())
}

/// The answer of a request that opens nothing.
fn answer(request: Request, netns: Option<BorrowedFd<'_>>) -> io::Result<Answer> {
    let netns = || netns.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput));
    Ok(match request {
        Request::Begin => Answer::Done,
        Request::Settings(names) => Answer::Settings(Where::Inside(netns()?).read(&names)?),
        Request::Interfaces => Answer::Interfaces(interfaces::inside(netns()?)?),
        Request::Listeners => Answer::Listeners(netlink_sockets::listeners(Some(netns()?))?),
        Request::Owner(port, inode) => Answer::Owner(portid::owner(port, inode)),
        Request::Open(_) | Request::OpenInode(_) | Request::Socket => {
            return Err(io::ErrorKind::InvalidInput.into());
        }
    })
}

fn failed(error: &io::Error) -> Answer {
    Answer::Failed(error.to_string(), error.raw_os_error())
}

/// Sends namespaces in several messages: each can have a limited number of descriptors.
fn answer_found(socket: &UnixStream, found: Result<Found, NetnsError>) -> io::Result<()> {
    let found = match found {
        Ok(found) => found,
        Err(error) => return wire::send(socket, &Answer::Failed(error.to_string(), None), &[]),
    };
    for some in found.namespaces.chunks(MOST_FDS) {
        let names = some
            .iter()
            .map(|netns| (netns.name.as_str().to_owned(), netns.inode));
        let fds: Vec<BorrowedFd<'_>> = some.iter().map(Netns::as_fd).collect();
        wire::send(socket, &Answer::Namespaces(names.collect()), &fds)?;
    }
    let Hidden { processes, unlisted } = found.hidden;
    wire::send(socket, &Answer::Found { processes, unlisted }, &[])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_has_capabilities_and_perhaps_a_user() {
        let parsed = |args: &[&str]| {
            let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
            credentials(&args).map(|credentials| (credentials.capabilities.0, credentials.user))
        };
        assert_eq!(parsed(&["201000"]), Some((0x20_1000, None)));
        assert_eq!(
            parsed(&["0", "65534", "65533"]),
            Some((
                0,
                Some(Ids {
                    uid: 65534,
                    gid: 65533
                })
            ))
        );
        for wrong in [
            &[][..],
            &["x"],
            &["0", "1"],
            &["0", "nobody", "1"],
            &["0", "1", "2", "3"],
        ] {
            assert_eq!(parsed(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn requests_are_served_until_the_end_of_the_stream() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let serving = std::thread::spawn(move || serve(&theirs, &Ok(())));
        let here = netns::open(&Selector::Current).unwrap().namespaces.remove(0);
        wire::send(&ours, &Request::OpenInode(here.inode), &[]).unwrap();
        let (found, fds) = wire::receive(&ours).unwrap();
        assert!(
            matches!(&found, Some(Answer::Namespaces(all)) if all.len() == 1 && all[0].1 == here.inode),
            "{found:?}"
        );
        assert_eq!(netns::inode(fds[0].as_fd()).unwrap(), here.inode);
        assert!(matches!(
            wire::receive(&ours).unwrap().0,
            Some(Answer::Found { .. })
        ));
        wire::send(&ours, &Request::Interfaces, &[here.as_fd()]).unwrap();
        let (interfaces, _) = wire::receive(&ours).unwrap();
        assert!(
            matches!(&interfaces, Some(Answer::Interfaces(all)) if all.contains(&(1, "lo".to_owned()))),
            "{interfaces:?}"
        );
        // Without the namespace that it is about.
        wire::send(&ours, &Request::Interfaces, &[]).unwrap();
        assert!(matches!(
            wire::receive(&ours).unwrap().0,
            Some(Answer::Failed(..))
        ));
        drop(ours);
        serving.join().unwrap().unwrap();
    }
}
