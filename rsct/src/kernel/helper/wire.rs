//! Messages between rsct and its helper: a length, JSON, and descriptors.

use std::{
    io::{self, Read as _, Write as _},
    mem,
    os::{
        fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd, RawFd},
        unix::net::UnixStream,
    },
    ptr,
};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::kernel::{netlink_sockets::NetlinkSocket, sysctl::Setting};

/// Descriptors in one message; the kernel allows 253 (`SCM_MAX_FD`).
pub(super) const MOST_FDS: usize = 128;
/// The longest message.
const MOST_BYTES: usize = 16 << 20;
/// Memory for the descriptors of a message.
const CONTROL_WORDS: usize = 128;

/// A request; the descriptor of a namespace accompanies some.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Request {
    /// Drop privileges.
    Begin,
    /// Open the namespaces that `--netns` selects, or all.
    Open(Option<String>),
    /// Open the namespace with this inode number.
    OpenInode(u64),
    /// Open a netlink socket in the namespace.
    Socket,
    /// Read settings of the namespace.
    Settings(Vec<String>),
    /// List interfaces of the namespace.
    Interfaces,
    /// List listeners in the namespace.
    Listeners,
    /// Find the program that has the socket with this port and inode number open.
    Owner(u32, u64),
}

/// An answer.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Answer {
    /// Done; the descriptor of a socket accompanies it.
    Done,
    /// Some namespaces with name and inode number, in the order of their descriptors.
    Namespaces(Vec<(String, u64)>),
    /// All namespaces were sent.
    Found {
        /// Number of processes that could not be inspected.
        processes: usize,
        /// True if /proc hides processes.
        unlisted: bool,
    },
    /// The settings, in the order of the request.
    Settings(Vec<Option<Setting>>),
    /// The interfaces.
    Interfaces(Vec<(u32, String)>),
    /// The listeners.
    Listeners(Vec<NetlinkSocket>),
    /// The program's name.
    Owner(Option<Vec<u8>>),
    /// The request failed: the error and its number.
    Failed(String, Option<i32>),
}

/// Sends a message.
pub(super) fn send(
    mut socket: &UnixStream,
    message: &impl Serialize,
    fds: &[BorrowedFd<'_>],
) -> io::Result<()> {
    let json = serde_json::to_vec(message)?;
    let head = u32::try_from(json.len())
        .map_err(|_| io::ErrorKind::InvalidInput)?
        .to_ne_bytes();
    send_head(socket, &head, fds)?;
    socket.write_all(&json)
}

/// Receives a message; none at the end of the stream.
pub(super) fn receive<T: DeserializeOwned>(mut socket: &UnixStream) -> io::Result<(Option<T>, Vec<OwnedFd>)> {
    let mut head = [0; 4];
    let (got, fds) = receive_head(socket, &mut head)?;
    if got == 0 {
        return Ok((None, fds));
    }
    socket.read_exact(&mut head[got..])?;
    let bytes = u32::from_ne_bytes(head) as usize;
    if bytes > MOST_BYTES {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut json = vec![0; bytes];
    socket.read_exact(&mut json)?;
    Ok((Some(serde_json::from_slice(&json)?), fds))
}

/// Sends the head with the descriptors. Four bytes are never split.
fn send_head(socket: &UnixStream, head: &[u8; 4], fds: &[BorrowedFd<'_>]) -> io::Result<()> {
    let fds: Vec<RawFd> = fds.iter().map(|fd| fd.as_raw_fd()).collect();
    if fds.len() > MOST_FDS {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let mut control = [0_u64; CONTROL_WORDS];
    let mut part = libc::iovec {
        iov_base: head.as_ptr().cast_mut().cast(),
        iov_len: head.len(),
    };
    // SAFETY: plain integers and null pointers.
    let mut message: libc::msghdr = unsafe { mem::zeroed() };
    message.msg_iov = &raw mut part;
    message.msg_iovlen = 1;
    if !fds.is_empty() {
        let bytes = size_of_val(fds.as_slice()) as u32;
        message.msg_control = control.as_mut_ptr().cast();
        // SAFETY: arithmetic; `control` has space for the most descriptors. The pointers are into `control` and `fds`.
        unsafe {
            message.msg_controllen = libc::CMSG_SPACE(bytes) as _;
            let first = libc::CMSG_FIRSTHDR(&raw const message);
            (*first).cmsg_level = libc::SOL_SOCKET;
            (*first).cmsg_type = libc::SCM_RIGHTS;
            (*first).cmsg_len = libc::CMSG_LEN(bytes) as _;
            ptr::copy_nonoverlapping(fds.as_ptr().cast::<u8>(), libc::CMSG_DATA(first), bytes as usize);
        }
    }
    loop {
        // SAFETY: the message refers to memory that outlives the call.
        let sent = unsafe { libc::sendmsg(socket.as_raw_fd(), &raw const message, libc::MSG_NOSIGNAL) };
        match sent {
            4 => return Ok(()),
            0.. => return Err(io::ErrorKind::WriteZero.into()),
            _ => retry()?,
        }
    }
}

fn receive_head(socket: &UnixStream, head: &mut [u8; 4]) -> io::Result<(usize, Vec<OwnedFd>)> {
    let mut control = [0_u64; CONTROL_WORDS];
    let mut part = libc::iovec {
        iov_base: head.as_mut_ptr().cast(),
        iov_len: head.len(),
    };
    // SAFETY: plain integers and null pointers.
    let mut message: libc::msghdr = unsafe { mem::zeroed() };
    message.msg_iov = &raw mut part;
    message.msg_iovlen = 1;
    message.msg_control = control.as_mut_ptr().cast();
    message.msg_controllen = size_of_val(&control) as _;
    let got = loop {
        // SAFETY: the message refers to memory that outlives the call.
        let got = unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut message, libc::MSG_CMSG_CLOEXEC) };
        match usize::try_from(got) {
            Ok(got) => break got,
            Err(_) => retry()?,
        }
    };
    let mut fds = Vec::new();
    // SAFETY: the kernel has written the headers; each descriptor is new, and nothing else owns it.
    unsafe {
        let mut header = libc::CMSG_FIRSTHDR(&raw const message);
        while let Some(found) = header.as_ref() {
            if (found.cmsg_level, found.cmsg_type) == (libc::SOL_SOCKET, libc::SCM_RIGHTS) {
                // Its type depends on the C library.
                let length: usize = found.cmsg_len as _;
                let bytes = length - libc::CMSG_LEN(0) as usize;
                let data = libc::CMSG_DATA(header).cast::<RawFd>();
                for index in 0..bytes / size_of::<RawFd>() {
                    fds.push(OwnedFd::from_raw_fd(ptr::read_unaligned(data.add(index))));
                }
            }
            header = libc::CMSG_NXTHDR(&raw const message, header);
        }
    }
    Ok((got, fds))
}

/// The error of the last system call, unless a signal interrupted it.
fn retry() -> io::Result<()> {
    let error = io::Error::last_os_error();
    match error.kind() {
        io::ErrorKind::Interrupted => Ok(()),
        _ => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::os::{fd::AsFd as _, unix::fs::MetadataExt as _};

    use super::*;

    #[test]
    fn messages_and_descriptors_arrive() {
        let (one, other) = UnixStream::pair().unwrap();
        let file = std::fs::File::open("/dev/null").unwrap();
        let fds = vec![file.as_fd(); MOST_FDS];
        let long = "x".repeat(1 << 14);
        send(&one, &Request::Open(Some(long.clone())), &[]).unwrap();
        send(&one, &Request::Socket, &fds).unwrap();
        drop(one);
        let (request, fds) = receive::<Request>(&other).unwrap();
        assert!(matches!(request, Some(Request::Open(Some(text))) if text == long) && fds.is_empty());
        let (request, fds) = receive::<Request>(&other).unwrap();
        assert!(matches!(request, Some(Request::Socket)) && fds.len() == MOST_FDS);
        let received = std::fs::File::from(fds.into_iter().next().unwrap());
        assert_eq!(
            received.metadata().unwrap().rdev(),
            file.metadata().unwrap().rdev()
        );
        assert!(receive::<Request>(&other).unwrap().0.is_none());
    }

    #[test]
    fn too_many_descriptors_and_too_long_messages_are_refused() {
        let (one, mut other) = UnixStream::pair().unwrap();
        let file = std::fs::File::open("/dev/null").unwrap();
        let fds = vec![file.as_fd(); MOST_FDS + 1];
        assert!(send(&one, &Request::Socket, &fds).is_err());
        other.write_all(&u32::MAX.to_ne_bytes()).unwrap();
        assert_eq!(
            receive::<Request>(&one).unwrap_err().kind(),
            io::ErrorKind::InvalidData
        );
    }
}
