//! A netfilter netlink socket, for an event loop or a blocking thread.

use std::{
    io,
    mem::MaybeUninit,
    os::fd::{AsFd as _, AsRawFd, BorrowedFd, FromRawFd, OwnedFd},
    sync::Arc,
    thread,
};

use bytes::{Bytes, BytesMut};
use tokio::{
    io::{Interest, unix::AsyncFd},
    runtime::Handle,
};

use super::{Error, event::Group};
use crate::kernel::{
    helper,
    interrupt::{self, Woken},
    limits, netns,
};

/// Buffer size for one datagram. A dump fills at most 32 KiB at a time (netlink_recvmsg() in
/// net/netlink/af_netlink.c limits the buffer size that it remembers), events are smaller.
pub(super) const DATAGRAM_BYTES: usize = 64 * 1024;

/// A socket for nfnetlink in one network namespace.
///
/// It stays in the namespace in which it was opened, whichever thread uses it. A socket opened inside an
/// event loop waits in that loop; any other blocks the waiting thread.
#[derive(Debug)]
pub(crate) struct Socket {
    fd: Arc<OwnedFd>,
    /// Its registration with the event loop in which it was opened.
    registered: Option<AsyncFd<Arc<OwnedFd>>>,
    /// True if another namespace was entered to open it.
    entered: bool,
    port: u32,
    sequence: u32,
    buffer: BytesMut,
    overruns: u64,
}

impl Socket {
    /// Opens a socket in the calling thread's network namespace.
    pub(crate) fn open() -> Result<Self, Error> {
        Self::new(open_here()?)
    }

    /// Opens a socket in the network namespace that `netns` refers to, without moving this process there.
    pub(crate) fn open_in(netns: BorrowedFd<'_>) -> Result<Self, Error> {
        let opened = match helper::socket(netns) {
            None => open_in(netns)?,
            Some(opened) => opened.map_err(|error| match error.raw_os_error() {
                None => failed("opening")(error),
                Some(_) => Error::EnterNamespace {
                    inode: inode(netns),
                    source: error,
                },
            })?,
        };
        Ok(Self {
            entered: true,
            ..Self::new(opened)?
        })
    }

    /// Opens another socket in the same network namespace.
    pub(crate) fn open_sibling(&self) -> Result<Self, Error> {
        if !self.entered {
            return Self::open();
        }
        // Opens a descriptor only now: there may be hundreds of namespaces.
        Self::open_in(
            namespace_of(&self.fd)
                .map_err(failed("finding the namespace of"))?
                .as_fd(),
        )
    }

    fn new(fd: OwnedFd) -> Result<Self, Error> {
        let port = bind(&fd).map_err(failed("binding"))?;
        Self::with_port(fd, port)
    }

    /// For tests, which play the kernel at the other end of a socket pair.
    pub(super) fn with_port(fd: OwnedFd, port: u32) -> Result<Self, Error> {
        let fd = Arc::new(fd);
        let registered = if Handle::try_current().is_ok() {
            // SAFETY: an Arc of an OwnedFd keeps its descriptor open and never returns another number, so the
            // registration is valid until the AsyncFd is dropped.
            let registered = unsafe { AsyncFd::register(Arc::clone(&fd)) };
            Some(registered.map_err(|e| failed("registering")(e.into()))?)
        } else {
            None
        };
        Ok(Self {
            fd,
            registered,
            entered: false,
            port,
            sequence: 0,
            buffer: BytesMut::with_capacity(DATAGRAM_BYTES),
            overruns: 0,
        })
    }

    /// Sets the size of the receive buffer, beyond `net.core.rmem_max` if permitted, and returns the actual
    /// size.
    pub(crate) fn set_receive_buffer(&self, size_bytes: usize) -> Result<usize, Error> {
        let wanted = libc::c_int::try_from(size_bytes).unwrap_or(libc::c_int::MAX);
        let fd = &self.fd;
        set_option(fd, libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, wanted)
            .or_else(|_| set_option(fd, libc::SOL_SOCKET, libc::SO_RCVBUF, wanted))
            .and_then(|()| get_option(fd, libc::SOL_SOCKET, libc::SO_RCVBUF))
            // The kernel reports twice the requested size: half is for its own bookkeeping.
            .map(|doubled| usize::try_from(doubled).unwrap_or(0) / 2)
            .map_err(failed("setting the receive buffer size of"))
    }

    /// Subscribes to a multicast group.
    pub(crate) fn subscribe(&self, group: Group) -> Result<(), Error> {
        let number = group as libc::c_int;
        set_option(&self.fd, libc::SOL_NETLINK, libc::NETLINK_ADD_MEMBERSHIP, number).map_err(|source| {
            match source.raw_os_error() {
                Some(libc::EPERM) => Error::NotPermitted {
                    operation: "listening to conntrack events",
                },
                _ => failed("subscribing")(source),
            }
        })
    }

    /// The port that the kernel assigned to this socket, and that its answers carry.
    pub(crate) fn port(&self) -> u32 {
        self.port
    }

    /// Number of losses because the receive buffer was full.
    pub(crate) fn overruns(&self) -> u64 {
        self.overruns
    }

    /// Number of messages that the kernel dropped because this socket's receive buffer was full, from the
    /// kernel's counter.
    pub(crate) fn dropped(&self) -> Result<u32, Error> {
        /// `SK_MEMINFO_DROPS` in include/uapi/linux/sock_diag.h, and the number of values.
        const DROPS: usize = 8;
        let mut numbers = [0u32; DROPS + 1];
        let mut size = size_of_val(&numbers) as libc::socklen_t;
        // SAFETY: numbers and size outlive the call, and the size is that of the numbers.
        let result = unsafe {
            libc::getsockopt(
                self.fd.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_MEMINFO,
                numbers.as_mut_ptr().cast(),
                &raw mut size,
            )
        };
        check(result as libc::ssize_t).map_err(failed("reading the drop counter of"))?;
        Ok(numbers[DROPS])
    }

    /// A sequence number for the next request; never 0, which events carry.
    pub(super) fn next_sequence(&mut self) -> u32 {
        self.sequence = next_after(self.sequence);
        self.sequence
    }

    /// Makes the next request use the number after this one.
    #[cfg(test)]
    pub(super) fn set_last_sequence(&mut self, sequence: u32) {
        self.sequence = sequence;
    }

    /// Sends a datagram of requests to the kernel.
    pub(crate) async fn send(&self, datagram: &[u8]) -> Result<(), Error> {
        let sent = match &self.registered {
            Some(registered) => registered
                .async_io(Interest::WRITABLE, |fd| send_to(fd.as_fd(), datagram))
                .await
                .map_err(failed("sending to")),
            None => blocking(self.fd.as_fd(), libc::POLLOUT, "sending to", |fd| {
                send_to(fd, datagram)
            }),
        };
        sent.map(drop)
    }

    /// Like [`send`](Self::send) without waiting: the kernel processes a request inside the call.
    pub(super) fn send_now(&self, datagram: &[u8]) -> Result<(), Error> {
        send_to(self.fd.as_fd(), datagram)
            .map(drop)
            .map_err(failed("sending to"))
    }

    /// Waits for the next datagram from the kernel.
    ///
    /// The bytes are a slice of a buffer that is reused once they are dropped; nothing is copied. A loss
    /// (ENOBUFS) is [`Error::Overrun`]: the socket remains usable after it.
    pub(crate) async fn receive(&mut self) -> Result<Bytes, Error> {
        loop {
            let received = match &self.registered {
                Some(registered) => registered
                    .async_io(Interest::READABLE, |fd| append(fd.as_fd(), &mut self.buffer))
                    .await
                    .map_err(failed("receiving from")),
                None => blocking(self.fd.as_fd(), libc::POLLIN, "receiving from", |fd| {
                    append(fd, &mut self.buffer)
                }),
            };
            if let Some(datagram) = self.take(received)? {
                return Ok(datagram);
            }
        }
    }

    /// The next datagram from the kernel, if one is queued; does not wait.
    pub(crate) fn receive_now(&mut self) -> Result<Option<Bytes>, Error> {
        loop {
            let received = append(self.fd.as_fd(), &mut self.buffer);
            if let Err(error) = &received
                && error.kind() == io::ErrorKind::WouldBlock
            {
                return Ok(None);
            }
            if let Some(datagram) = self.take(received.map_err(failed("receiving from")))? {
                return Ok(Some(datagram));
            }
        }
    }

    /// The datagram that was appended to the buffer. Any process may send to a netlink port; only the
    /// kernel's messages count.
    fn take(&mut self, received: Result<Received, Error>) -> Result<Option<Bytes>, Error> {
        let received = match received {
            Err(Error::Socket { source, .. }) if is_overrun(&source) => return Err(self.overrun()),
            received => received?,
        };
        check_size(received.bytes, received.capacity)?;
        let datagram = self.buffer.split().freeze();
        Ok(received.from_kernel.then_some(datagram))
    }

    /// Counts a loss.
    pub(super) fn overrun(&mut self) -> Error {
        self.overruns += 1;
        Error::Overrun {
            hint: "the data read so far is incomplete",
        }
    }

    /// The same socket for another thread.
    pub(super) fn shared(&self) -> Arc<OwnedFd> {
        Arc::clone(&self.fd)
    }
}

/// Runs a socket operation that may have to wait, and blocks the thread for that time.
fn blocking<T>(
    fd: BorrowedFd<'_>,
    events: libc::c_short,
    operation: &'static str,
    mut act: impl FnMut(BorrowedFd<'_>) -> io::Result<T>,
) -> Result<T, Error> {
    loop {
        match act(fd) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            done => return done.map_err(failed(operation)),
        }
        match interrupt::wait_for(fd, events).map_err(failed("waiting for"))? {
            Woken::Ready => {}
            Woken::Signal(signal) => return Err(Error::Signal { signal }),
        }
    }
}

/// Sends a datagram.
pub(super) fn send_to(fd: BorrowedFd<'_>, datagram: &[u8]) -> io::Result<usize> {
    // SAFETY: the pointer and length are those of a live slice, which is only read.
    check(unsafe { libc::send(fd.as_raw_fd(), datagram.as_ptr().cast(), datagram.len(), 0) })
}

/// The next sequence number; never 0.
pub(super) fn next_after(sequence: u32) -> u32 {
    sequence.checked_add(1).unwrap_or(1)
}

/// A received datagram.
pub(super) struct Received {
    /// Its size in bytes, which may be more than the buffer's.
    pub(super) bytes: usize,
    /// The buffer's size.
    pub(super) capacity: usize,
    /// True if the kernel sent it.
    pub(super) from_kernel: bool,
}

/// Appends a queued datagram to a buffer, if all of it fits.
fn append(fd: BorrowedFd<'_>, buffer: &mut BytesMut) -> io::Result<Received> {
    buffer.reserve(DATAGRAM_BYTES);
    let received = receive_into(fd, buffer.spare_capacity_mut())?;
    if received.bytes <= received.capacity {
        // SAFETY: recvfrom wrote this many bytes after the buffer's end, within its capacity.
        unsafe { buffer.set_len(buffer.len() + received.bytes) };
    }
    Ok(received)
}

/// Receives a queued datagram; truncates it to the buffer.
pub(super) fn receive_into(fd: BorrowedFd<'_>, buffer: &mut [MaybeUninit<u8>]) -> io::Result<Received> {
    let mut sender = kernel();
    let mut sender_bytes = size_of_sockaddr();
    // SAFETY: recvfrom only writes to the buffer, at most as many bytes as its size; the address outlives the
    // call.
    let bytes = check(unsafe {
        libc::recvfrom(
            fd.as_raw_fd(),
            buffer.as_mut_ptr().cast(),
            buffer.len(),
            // Return the datagram's full length even if it was truncated.
            libc::MSG_TRUNC,
            (&raw mut sender).cast(),
            &raw mut sender_bytes,
        )
    })?;
    Ok(Received {
        bytes,
        capacity: buffer.len(),
        from_kernel: sender.nl_pid == 0,
    })
}

/// Returns whether receiving failed because messages were lost before.
pub(super) fn is_overrun(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::ENOBUFS)
}

/// Returns an error if a datagram was truncated.
pub(super) fn check_size(got: usize, capacity: usize) -> Result<(), Error> {
    if got > capacity {
        return Err(Error::Truncated { got, capacity });
    }
    Ok(())
}

/// Opens a socket in another namespace. A namespace is a property of a thread: a short-lived one enters it, and nothing else
/// is affected.
pub(crate) fn open_in(netns: BorrowedFd<'_>) -> Result<OwnedFd, Error> {
    thread::scope(|scope| {
        let opening = thread::Builder::new()
            .name("rsct-netns".into())
            .spawn_scoped(scope, || {
                netns::enter(netns).map_err(|source| Error::EnterNamespace {
                    inode: inode(netns),
                    source,
                })?;
                open_here()
            });
        let opening = opening
            .map_err(limits::no_thread)
            .map_err(failed("starting a thread for"))?;
        opening
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

fn open_here() -> Result<OwnedFd, Error> {
    let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    // SAFETY: socket has no pointer arguments.
    let fd = unsafe { libc::socket(libc::AF_NETLINK, kind, libc::NETLINK_NETFILTER) };
    if fd < 0 {
        let error = io::Error::last_os_error();
        return Err(match error.raw_os_error() {
            Some(libc::EPROTONOSUPPORT) => Error::NoNetfilter,
            _ => failed("opening")(error),
        });
    }
    // SAFETY: the descriptor is new, and nothing else owns it.
    let fd = unsafe { OwnedFd::from_raw_fd(fd) };
    // Kernels before 4.12 lack these; errors then have no message.
    let _ = set_option(&fd, libc::SOL_NETLINK, libc::NETLINK_EXT_ACK, 1);
    let _ = set_option(&fd, libc::SOL_NETLINK, libc::NETLINK_CAP_ACK, 1);
    Ok(fd)
}

/// Binds to a port that the kernel chooses, and returns it.
fn bind(fd: &OwnedFd) -> io::Result<u32> {
    let mut address = kernel();
    let mut size = size_of_sockaddr();
    // SAFETY: the address and its size outlive both calls, and the size is the address's own.
    unsafe {
        if libc::bind(fd.as_raw_fd(), (&raw const address).cast(), size) != 0
            || libc::getsockname(fd.as_raw_fd(), (&raw mut address).cast(), &raw mut size) != 0
        {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(address.nl_pid)
}

/// The kernel's address; for bind(2), it requests a port.
fn kernel() -> libc::sockaddr_nl {
    // SAFETY: all-zero bytes are a valid sockaddr_nl.
    let mut address: libc::sockaddr_nl = unsafe { std::mem::zeroed() };
    address.nl_family = libc::AF_NETLINK as libc::sa_family_t;
    address
}

fn size_of_sockaddr() -> libc::socklen_t {
    size_of::<libc::sockaddr_nl>() as libc::socklen_t
}

fn set_option(fd: &OwnedFd, level: libc::c_int, name: libc::c_int, value: libc::c_int) -> io::Result<()> {
    let size = size_of_val(&value) as libc::socklen_t;
    // SAFETY: the value outlives the call, and the size is that of the value.
    check(unsafe {
        libc::setsockopt(fd.as_raw_fd(), level, name, (&raw const value).cast(), size) as libc::ssize_t
    })
    .map(drop)
}

fn get_option(fd: &OwnedFd, level: libc::c_int, name: libc::c_int) -> io::Result<libc::c_int> {
    let mut value: libc::c_int = 0;
    let mut size = size_of_val(&value) as libc::socklen_t;
    // SAFETY: value and size outlive the call, and the size is that of the value.
    check(unsafe {
        libc::getsockopt(
            fd.as_raw_fd(),
            level,
            name,
            (&raw mut value).cast(),
            &raw mut size,
        ) as libc::ssize_t
    })?;
    Ok(value)
}

/// The network namespace that a socket is in.
fn namespace_of(fd: &OwnedFd) -> io::Result<OwnedFd> {
    /// In include/uapi/linux/sockios.h.
    const SIOCGSKNS: libc::c_ulong = 0x894c;
    // SAFETY: this request has no argument.
    let netns = check(unsafe { libc::ioctl(fd.as_raw_fd(), SIOCGSKNS as _) } as libc::ssize_t)?;
    let netns = libc::c_int::try_from(netns).map_err(io::Error::other)?;
    // SAFETY: the descriptor is new, and nothing else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(netns) })
}

fn inode(fd: BorrowedFd<'_>) -> u64 {
    netns::inode(fd).unwrap_or(0)
}

fn check(result: libc::ssize_t) -> io::Result<usize> {
    usize::try_from(result).map_err(|_| io::Error::last_os_error())
}

pub(super) fn failed(operation: &'static str) -> impl Fn(io::Error) -> Error {
    move |source| Error::Socket { operation, source }
}
