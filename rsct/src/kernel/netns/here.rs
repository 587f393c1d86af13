//! The network namespace of the calling thread.

use std::{
    fs::File,
    io,
    os::{
        fd::{AsRawFd as _, FromRawFd as _},
        unix::net::UnixDatagram,
    },
    path::Path,
};

use super::{Netns, NetnsError, file};

/// `SIOCGSKNS` (include/uapi/linux/sockios.h, Linux 4.9 on): returns a descriptor of a socket's namespace.
const SIOCGSKNS: u32 = 0x894c;

/// Opens it through /proc or, if /proc is not mounted, through a socket, which needs CAP_NET_ADMIN.
pub(super) fn open() -> Result<Netns, NetnsError> {
    let through_proc = file::open(Path::new("/proc/thread-self/ns/net"), None);
    through_proc.or_else(|error| {
        through_socket().map_err(|of_socket| {
            let wanted = "of this process (/proc/thread-self/ns/net)".to_owned();
            let source = match error.kind() {
                io::ErrorKind::NotFound => io::Error::new(
                    of_socket.kind(),
                    format!(
                        "/proc is not mounted, and the namespace of a socket cannot be opened: {of_socket}; \
                         run as root"
                    ),
                ),
                _ => error,
            };
            NetnsError::Open { wanted, source }
        })
    })
}

fn through_socket() -> io::Result<Netns> {
    let socket = UnixDatagram::unbound()?;
    // SAFETY: this request has no argument, and the socket is open.
    let fd = unsafe { libc::ioctl(socket.as_raw_fd(), SIOCGSKNS as _) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just returned this descriptor, and nothing else owns it.
    file::of(unsafe { File::from_raw_fd(fd) }, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn socket_and_proc_refer_to_the_same_namespace() {
        match through_socket() {
            Ok(found) => assert_eq!(found.inode, open().unwrap().inode),
            // Without CAP_NET_ADMIN.
            Err(error) => assert_eq!(error.raw_os_error(), Some(libc::EPERM)),
        }
    }
}
