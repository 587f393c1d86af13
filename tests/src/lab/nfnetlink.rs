//! A bare netfilter netlink socket, for requests that no tool sends in the form that a scenario needs.

use std::{
    io::{self, Error, ErrorKind},
    os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd},
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};

use super::wait;
use crate::native::namespace::Namespace;

/// A message's header and the `struct nfgenmsg` after it.
pub const HEADER_BYTES: usize = 16 + 4;
const ATTRIBUTE_BYTES: usize = 4;
/// `struct nlmsgerr` with a zero in it answers a request with NLM_F_ACK.
const ERROR: u16 = 2;

/// Open in one namespace.
pub struct Socket(OwnedFd);

impl Socket {
    /// Opens one.
    pub fn open(namespace: &Namespace) -> Result<Self> {
        super::inside::inside(&namespace.name, "nfnetlink", || {
            // SAFETY: plain integers; the result is checked before it is owned.
            let fd = unsafe {
                libc::socket(
                    libc::AF_NETLINK,
                    libc::SOCK_RAW | libc::SOCK_CLOEXEC,
                    libc::NETLINK_NETFILTER,
                )
            };
            ensure!(fd >= 0, "open a netlink socket: {}", Error::last_os_error());
            // SAFETY: the descriptor is new and has no other owner.
            let socket = Self(unsafe { OwnedFd::from_raw_fd(fd) });
            // SAFETY: plain integers, for which zero is a value: the kernel chooses the port.
            let mut address: libc::sockaddr_nl = unsafe { std::mem::zeroed() };
            address.nl_family = libc::AF_NETLINK as u16;
            let length = size_of_val(&address) as u32;
            // SAFETY: the pointer is to a live address of the length given.
            let bound = unsafe { libc::bind(fd, (&raw const address).cast(), length) };
            ensure!(bound == 0, "bind a netlink socket: {}", Error::last_os_error());
            Ok(socket)
        })
    }

    /// The port id that the kernel has assigned to it.
    pub fn port(&self) -> Result<u32> {
        // SAFETY: plain integers, for which zero is a value.
        let mut address: libc::sockaddr_nl = unsafe { std::mem::zeroed() };
        let mut length = size_of_val(&address) as u32;
        // SAFETY: both pointers are to live values; the second holds the length of the first.
        let named =
            unsafe { libc::getsockname(self.0.as_raw_fd(), (&raw mut address).cast(), &raw mut length) };
        ensure!(named == 0, "read a socket's port: {}", Error::last_os_error());
        Ok(address.nl_pid)
    }

    /// Sets an option that is an integer.
    pub fn set(&self, level: i32, option: i32, value: i32) -> Result<()> {
        let length = size_of_val(&value) as u32;
        let fd = self.0.as_raw_fd();
        // SAFETY: the pointer is to a live value of the length given.
        let set = unsafe { libc::setsockopt(fd, level, option, (&raw const value).cast(), length) };
        ensure!(
            set == 0,
            "set option {option} of a netlink socket: {}",
            Error::last_os_error()
        );
        Ok(())
    }

    /// Sends a message of `subsystem` with `resource` in `struct nfgenmsg` and the attributes, and waits for the
    /// kernel's acknowledgement.
    pub fn request(&self, subsystem: u8, message: u8, resource: u16, attributes: &[u8]) -> Result<()> {
        self.send(subsystem, message, resource, attributes)?;
        let answer = self.receive(wait::DEADLINE)?.context("no answer over netlink")?;
        let kind = answer
            .get(4..6)
            .map_or(0, |bytes| u16::from_ne_bytes([bytes[0], bytes[1]]));
        let code = number(&answer, 16).map(u32::from_ne_bytes);
        ensure!(
            kind == ERROR && code == Some(0),
            "the kernel refuses a message over netlink: {}",
            Error::from_raw_os_error(-(code.unwrap_or(0) as i32))
        );
        Ok(())
    }

    fn send(&self, subsystem: u8, message: u8, resource: u16, attributes: &[u8]) -> Result<()> {
        let flags = libc::NLM_F_REQUEST | libc::NLM_F_ACK;
        let length = (HEADER_BYTES + attributes.len()) as u32;
        let mut bytes = Vec::with_capacity(length as usize);
        bytes.extend_from_slice(&length.to_ne_bytes());
        bytes.extend_from_slice(&[message, subsystem]);
        bytes.extend_from_slice(&(flags as u16).to_ne_bytes());
        // An unused sequence number and port, family, version.
        bytes.extend_from_slice(&[0; 8]);
        bytes.extend_from_slice(&[0, 0]);
        bytes.extend_from_slice(&resource.to_be_bytes());
        bytes.extend_from_slice(attributes);
        // SAFETY: the pointer is to live bytes of the length given.
        let sent = unsafe { libc::send(self.0.as_raw_fd(), bytes.as_ptr().cast(), bytes.len(), 0) };
        ensure!(
            usize::try_from(sent).is_ok_and(|sent| sent == bytes.len()),
            "send over netlink: {}",
            Error::last_os_error()
        );
        Ok(())
    }

    /// The next datagram, or nothing if none arrived in time.
    pub fn receive(&self, within: Duration) -> Result<Option<Vec<u8>>> {
        let mut poll = libc::pollfd {
            fd: self.0.as_raw_fd(),
            events: libc::POLLIN,
            revents: 0,
        };
        let within = i32::try_from(within.as_millis()).context("a time to wait")?;
        // SAFETY: one live value, as the length states.
        match unsafe { libc::poll(&raw mut poll, 1, within) } {
            0 => Ok(None),
            1 => self.receive_now().map(Some).context("receive over netlink"),
            _ => bail!("wait for netlink: {}", Error::last_os_error()),
        }
    }

    /// The pending datagram, or the error that the kernel has queued in its place.
    pub fn receive_now(&self) -> io::Result<Vec<u8>> {
        let mut buffer = vec![0_u8; 1 << 16];
        // SAFETY: the pointer is to live bytes of the length given.
        let received = unsafe {
            libc::recv(
                self.0.as_raw_fd(),
                buffer.as_mut_ptr().cast(),
                buffer.len(),
                libc::MSG_DONTWAIT,
            )
        };
        match usize::try_from(received) {
            Ok(length) => {
                buffer.truncate(length);
                Ok(buffer)
            }
            Err(_) => Err(Error::last_os_error()),
        }
    }

    /// Reads all pending datagrams; returns their number, and whether the kernel reported a loss.
    pub fn drain(&self) -> Result<(usize, bool)> {
        let (mut datagrams, mut lost) = (0, false);
        loop {
            match self.receive_now() {
                Ok(_) => datagrams += 1,
                Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => lost = true,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok((datagrams, lost)),
                Err(error) => return Err(error).context("receive over netlink"),
            }
        }
    }
}

/// An attribute.
pub fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let length = (ATTRIBUTE_BYTES + value.len()) as u16;
    let mut bytes = Vec::with_capacity(usize::from(length).next_multiple_of(4));
    bytes.extend_from_slice(&length.to_ne_bytes());
    bytes.extend_from_slice(&kind.to_ne_bytes());
    bytes.extend_from_slice(value);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

/// The value of the first attribute of this kind, in the first message of a datagram.
pub fn find(datagram: &[u8], kind: u16) -> Option<&[u8]> {
    let length = number(datagram, 0).map(u32::from_ne_bytes)? as usize;
    let mut rest = datagram.get(HEADER_BYTES..length)?;
    loop {
        let length = usize::from(u16::from_ne_bytes([*rest.first()?, *rest.get(1)?]));
        let this = u16::from_ne_bytes([*rest.get(2)?, *rest.get(3)?]);
        if this == kind {
            return rest.get(ATTRIBUTE_BYTES..length);
        }
        rest = rest.get(length.max(ATTRIBUTE_BYTES).next_multiple_of(4)..)?;
    }
}

/// Four bytes at an offset.
pub fn number(bytes: &[u8], offset: usize) -> Option<[u8; 4]> {
    bytes.get(offset..offset + 4)?.try_into().ok()
}
