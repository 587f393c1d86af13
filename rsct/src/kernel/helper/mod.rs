//! A process with the privileges that rsct drops: it opens network namespaces, and finds the programs that own sockets.
//!
//! rsct starts it as `rsct-helper` from its own file, with one end of a pair of sockets as standard input, and sends it requests over
//! the other end. It does nothing else, keeps only the capabilities that its work needs, and ends with rsct.

mod serve;
mod wire;

use std::{
    io,
    os::{
        fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd},
        unix::{net::UnixStream, process::CommandExt as _},
    },
    process::{Command, Stdio},
    sync::{
        Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

pub(crate) use serve::{is_invoked_as, run};
use wire::{Answer, Request};

use super::{
    netlink_sockets::NetlinkSocket,
    netns::{Found, Hidden, Netns, NetnsError, Selector},
    privileges::CapabilitySet,
    sysctl::Setting,
    threads::Ids,
};

/// The name of the process.
const NAME: &str = "rsct-helper";

/// The helper of this process, if it has one.
static HELPER: OnceLock<Helper> = OnceLock::new();

struct Helper {
    socket: Mutex<UnixStream>,
    /// Its end was reported.
    is_reported: AtomicBool,
}

/// The helper does not answer.
const ENDED: &str = "the helper process (rsct-helper) has ended; start rsct again";

/// Starts the helper with these capabilities, as this user.
pub(crate) fn start(capabilities: CapabilitySet, user: Option<Ids>) -> io::Result<()> {
    let (ours, theirs) = UnixStream::pair()?;
    let mut command = Command::new("/proc/self/exe");
    command.arg0(NAME).arg(format!("{:x}", capabilities.0));
    if let Some(Ids { uid, gid }) = user {
        command.arg(uid.to_string()).arg(gid.to_string());
    }
    command
        .env_clear()
        .current_dir("/")
        .stdin(OwnedFd::from(theirs))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let helper = Helper {
        socket: Mutex::new(ours),
        is_reported: AtomicBool::new(false),
    };
    // It drops its privileges before it answers for the first time.
    match helper.request(&Request::Begin, None)? {
        (Answer::Done, _) => {}
        (Answer::Failed(text, _), _) => return Err(io::Error::other(text)),
        _ => return Err(unexpected()),
    }
    HELPER
        .set(helper)
        .map_err(|_| io::Error::other("it was started before"))
}

/// Reports the helper's end, once.
pub(crate) fn report_end() {
    if let Some(helper) = HELPER.get()
        && !helper.is_reported.load(Ordering::Relaxed)
        && helper.has_ended()
        && !helper.is_reported.swap(true, Ordering::Relaxed)
    {
        message!("{ENDED}: network namespaces can no longer be opened, and programs no longer be named");
    }
}

/// Opens the namespaces that a selector selects; none without a helper.
pub(crate) fn open(selector: &Selector) -> Option<Result<Found, NetnsError>> {
    let name = match selector {
        Selector::Current => return None,
        Selector::One(name) => Some(name.clone()),
        Selector::All => None,
    };
    let helper = HELPER.get()?;
    Some(helper.open(&Request::Open(name)))
}

/// Opens the namespace with an inode number; none without a helper.
pub(crate) fn open_inode(inode: u64) -> Option<Result<Netns, NetnsError>> {
    let helper = HELPER.get()?;
    let found = helper.open(&Request::OpenInode(inode));
    Some(found.and_then(|found| {
        let mut namespaces = found.namespaces.into_iter();
        namespaces
            .next()
            .ok_or_else(|| NetnsError::Helper(format!("no network namespace has the inode number {inode}")))
    }))
}

/// Opens a netfilter netlink socket in a namespace; none without a helper.
pub(crate) fn socket(netns: BorrowedFd<'_>) -> Option<io::Result<OwnedFd>> {
    let helper = HELPER.get()?;
    Some(match helper.request(&Request::Socket, Some(netns)) {
        Ok((Answer::Done, mut fds)) => fds.pop().ok_or_else(unexpected),
        Ok((Answer::Failed(text, errno), _)) => Err(error(text, errno)),
        Ok(_) => Err(unexpected()),
        Err(error) => Err(error),
    })
}

/// Reads the settings of a namespace; none without a helper.
pub(crate) fn settings(netns: BorrowedFd<'_>, names: &[String]) -> Option<io::Result<Vec<Option<Setting>>>> {
    let helper = HELPER.get()?;
    Some(
        match helper.request(&Request::Settings(names.to_vec()), Some(netns)) {
            Ok((Answer::Settings(settings), _)) => Ok(settings),
            Ok((Answer::Failed(text, errno), _)) => Err(error(text, errno)),
            Ok(_) => Err(unexpected()),
            Err(error) => Err(error),
        },
    )
}

/// Reads the numbers and names of the interfaces of a namespace; none without a helper.
pub(crate) fn interfaces(netns: BorrowedFd<'_>) -> Option<io::Result<Vec<(u32, String)>>> {
    let helper = HELPER.get()?;
    Some(match helper.request(&Request::Interfaces, Some(netns)) {
        Ok((Answer::Interfaces(interfaces), _)) => Ok(interfaces),
        Ok((Answer::Failed(text, errno), _)) => Err(error(text, errno)),
        Ok(_) => Err(unexpected()),
        Err(error) => Err(error),
    })
}

/// Lists the listeners for conntrack's events in a namespace; none without a helper.
pub(crate) fn listeners(netns: BorrowedFd<'_>) -> Option<io::Result<Vec<NetlinkSocket>>> {
    let helper = HELPER.get()?;
    Some(match helper.request(&Request::Listeners, Some(netns)) {
        Ok((Answer::Listeners(listeners), _)) => Ok(listeners),
        Ok((Answer::Failed(text, errno), _)) => Err(error(text, errno)),
        Ok(_) => Err(unexpected()),
        Err(error) => Err(error),
    })
}

/// Finds the program that has a netlink socket open; none without a helper.
pub(crate) fn owner(port: u32, inode: u64) -> Option<Option<Vec<u8>>> {
    let helper = HELPER.get()?;
    Some(match helper.request(&Request::Owner(port, inode), None) {
        Ok((Answer::Owner(owner), _)) => owner,
        _ => None,
    })
}

impl Helper {
    fn open(&self, request: &Request) -> Result<Found, NetnsError> {
        let failed = |error: io::Error| NetnsError::Helper(error.to_string());
        let mut found = Found {
            namespaces: Vec::new(),
            hidden: Hidden::default(),
        };
        let socket = self.socket.lock().unwrap_or_else(PoisonError::into_inner);
        wire::send(&socket, request, &[]).map_err(ended).map_err(failed)?;
        loop {
            let (answer, fds) = wire::receive(&socket).map_err(ended).map_err(failed)?;
            match answer {
                Some(Answer::Namespaces(namespaces)) if namespaces.len() == fds.len() => {
                    let opened = namespaces.into_iter().zip(fds);
                    found
                        .namespaces
                        .extend(opened.map(|((name, inode), fd)| Netns::received(name, inode, fd)));
                }
                Some(Answer::Found { processes, unlisted }) => {
                    found.hidden = Hidden { processes, unlisted };
                    return Ok(found);
                }
                Some(Answer::Failed(text, _)) => return Err(NetnsError::Helper(text)),
                Some(_) => return Err(failed(unexpected())),
                None => return Err(failed(ended(io::ErrorKind::UnexpectedEof.into()))),
            }
        }
    }

    fn request(
        &self,
        request: &Request,
        netns: Option<BorrowedFd<'_>>,
    ) -> io::Result<(Answer, Vec<OwnedFd>)> {
        let socket = self.socket.lock().unwrap_or_else(PoisonError::into_inner);
        let netns: Vec<BorrowedFd<'_>> = netns.into_iter().collect();
        wire::send(&socket, request, &netns).map_err(ended)?;
        match wire::receive(&socket).map_err(ended)? {
            (Some(answer), fds) => Ok((answer, fds)),
            (None, _) => Err(ended(io::ErrorKind::UnexpectedEof.into())),
        }
    }

    fn has_ended(&self) -> bool {
        // A request in progress finds it out itself.
        let Ok(socket) = self.socket.try_lock() else {
            return false;
        };
        let mut poll = libc::pollfd {
            fd: socket.as_fd().as_raw_fd(),
            events: 0,
            revents: 0,
        };
        // SAFETY: the struct outlives the call.
        unsafe { libc::poll(&raw mut poll, 1, 0) == 1 && poll.revents & libc::POLLHUP != 0 }
    }
}

fn ended(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::UnexpectedEof | io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => {
            io::Error::new(error.kind(), ENDED)
        }
        _ => error,
    }
}

fn unexpected() -> io::Error {
    io::Error::other("the helper process (rsct-helper) sent an unexpected answer")
}

fn error(text: String, errno: Option<i32>) -> io::Error {
    errno.map_or_else(|| io::Error::other(text), io::Error::from_raw_os_error)
}
