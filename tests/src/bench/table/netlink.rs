//! Minimal use of ctnetlink, with which rsct and `conntrack` are compared: a dump whose bytes are discarded, and
//! entries created many to a datagram. It shares nothing with rsct's own code.

use std::{
    io::Error,
    os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd},
};

use anyhow::{Result, bail, ensure};

const NLMSG_HEADER: usize = 16;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const NLM_F_REQUEST: u16 = 1;
const NLM_F_DUMP: u16 = 0x300;
const NLM_F_EXCL: u16 = 0x200;
const NLM_F_CREATE: u16 = 0x400;
const IPCTNL_MSG_CT_NEW: u16 = 1 << 8;
const IPCTNL_MSG_CT_GET: u16 = 1 << 8 | 1;
/// An attribute made of attributes.
const NESTED: u16 = 1 << 15;
/// More than the kernel writes into one datagram of a dump (32 KiB).
const BUFFER_BYTES: usize = 64 * 1024;
/// Size of a datagram of requests: well below the socket's default send buffer of 208 KiB.
const BATCH: usize = 96 * 1024;

/// One direction of an IPv4 flow with ports.
#[derive(Clone, Copy)]
pub struct Flow {
    /// Addresses, source and destination.
    pub addresses: ([u8; 4], [u8; 4]),
    /// Ports, source and destination.
    pub ports: (u16, u16),
    /// TCP, else UDP.
    pub tcp: bool,
}

/// An open netfilter netlink socket.
pub struct Ctnetlink(OwnedFd);

impl Ctnetlink {
    /// Opens one in this thread's network namespace.
    pub fn open() -> Result<Self> {
        let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC;
        // SAFETY: socket has no pointer arguments.
        let fd = unsafe { libc::socket(libc::AF_NETLINK, kind, libc::NETLINK_NETFILTER) };
        ensure!(fd >= 0, "open a netlink socket: {}", Error::last_os_error());
        // SAFETY: the descriptor is new, and has no other owner.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(fd) }))
    }

    /// Requests the whole table and receives it without parsing an entry; returns the number of bytes.
    pub fn dump(&self) -> Result<u64> {
        let mut request = Vec::new();
        header(&mut request, IPCTNL_MSG_CT_GET, NLM_F_REQUEST | NLM_F_DUMP, 0);
        close(&mut request, 0);
        self.send(&request)?;
        let mut buffer = vec![0; BUFFER_BYTES];
        let mut total = 0;
        loop {
            let datagram = self.receive(&mut buffer, 0)?.unwrap_or_default();
            ensure!(datagram.len() >= NLMSG_HEADER, "a datagram that is no message");
            total += datagram.len() as u64;
            match u16::from_ne_bytes([datagram[4], datagram[5]]) {
                NLMSG_DONE => return Ok(total),
                NLMSG_ERROR => bail!("dump the table: {}", refusal(datagram)),
                _ => {}
            }
        }
    }

    /// Creates entries, many to a datagram. None is acknowledged; the first refusal ends it.
    pub fn create(&self, flows: impl Iterator<Item = Flow>) -> Result<()> {
        let mut batch = Vec::with_capacity(BATCH + 1024);
        for flow in flows {
            create(&mut batch, flow);
            if batch.len() >= BATCH {
                self.exchange(&batch)?;
                batch.clear();
            }
        }
        self.exchange(&batch)
    }

    /// The kernel processes a datagram before send returns, so errors are queued by then.
    fn exchange(&self, batch: &[u8]) -> Result<()> {
        if batch.is_empty() {
            return Ok(());
        }
        self.send(batch)?;
        let mut buffer = [0; 512];
        if let Some(datagram) = self.receive(&mut buffer, libc::MSG_DONTWAIT)? {
            bail!("create an entry: {}", refusal(datagram));
        }
        Ok(())
    }

    fn send(&self, datagram: &[u8]) -> Result<()> {
        // SAFETY: the pointer and length are those of a live slice, which is only read.
        let sent = unsafe { libc::send(self.0.as_raw_fd(), datagram.as_ptr().cast(), datagram.len(), 0) };
        ensure!(
            usize::try_from(sent) == Ok(datagram.len()),
            "send to netlink: {}",
            Error::last_os_error()
        );
        Ok(())
    }

    fn receive<'a>(&self, buffer: &'a mut [u8], flags: i32) -> Result<Option<&'a [u8]>> {
        // SAFETY: the pointer and length are those of a live slice, which is only written to.
        let got = unsafe {
            libc::recv(
                self.0.as_raw_fd(),
                buffer.as_mut_ptr().cast(),
                buffer.len(),
                flags,
            )
        };
        match usize::try_from(got) {
            Ok(got) => Ok(Some(&buffer[..got])),
            Err(_) if Error::last_os_error().kind() == std::io::ErrorKind::WouldBlock => Ok(None),
            Err(_) => bail!("receive from netlink: {}", Error::last_os_error()),
        }
    }
}

/// Error code of an error message.
fn refusal(datagram: &[u8]) -> Error {
    let code = datagram.get(NLMSG_HEADER..NLMSG_HEADER + 4);
    let errno = code.map_or(0, |code| i32::from_ne_bytes([code[0], code[1], code[2], code[3]]));
    Error::from_raw_os_error(-errno)
}

fn create(batch: &mut Vec<u8>, flow: Flow) {
    const CTA_TUPLE_ORIG: u16 = 1;
    const CTA_TUPLE_REPLY: u16 = 2;
    const CTA_STATUS: u16 = 3;
    const CTA_PROTOINFO: u16 = 4;
    const CTA_TIMEOUT: u16 = 7;
    // SEEN_REPLY, ASSURED, and CONFIRMED, which the kernel refuses to clear (ctnetlink_change_status()).
    const STATUS: u32 = 1 << 1 | 1 << 2 | 1 << 3;
    const CTA_PROTOINFO_TCP: u16 = 1;
    const CTA_PROTOINFO_TCP_STATE: u16 = 1;
    const ESTABLISHED: u8 = 3;

    let start = batch.len();
    header(
        batch,
        IPCTNL_MSG_CT_NEW,
        NLM_F_REQUEST | NLM_F_CREATE | NLM_F_EXCL,
        2,
    );
    tuple(batch, CTA_TUPLE_ORIG, flow.addresses, flow.ports, flow.tcp);
    let swapped = ((flow.addresses.1, flow.addresses.0), (flow.ports.1, flow.ports.0));
    tuple(batch, CTA_TUPLE_REPLY, swapped.0, swapped.1, flow.tcp);
    put(batch, CTA_STATUS, &STATUS.to_be_bytes());
    put(batch, CTA_TIMEOUT, &super::entries::TIMEOUT_SECONDS.to_be_bytes());
    if flow.tcp {
        nest(batch, CTA_PROTOINFO, |batch| {
            nest(batch, CTA_PROTOINFO_TCP, |batch| {
                put(batch, CTA_PROTOINFO_TCP_STATE, &[ESTABLISHED]);
            });
        });
    }
    close(batch, start);
}

fn tuple(batch: &mut Vec<u8>, kind: u16, addresses: ([u8; 4], [u8; 4]), ports: (u16, u16), tcp: bool) {
    const CTA_TUPLE_IP: u16 = 1;
    const CTA_TUPLE_PROTO: u16 = 2;
    nest(batch, kind, |batch| {
        nest(batch, CTA_TUPLE_IP, |batch| {
            put(batch, 1, &addresses.0);
            put(batch, 2, &addresses.1);
        });
        nest(batch, CTA_TUPLE_PROTO, |batch| {
            put(batch, 1, &[if tcp { 6 } else { 17 }]);
            put(batch, 2, &ports.0.to_be_bytes());
            put(batch, 3, &ports.1.to_be_bytes());
        });
    });
}

/// `struct nlmsghdr` without its length, and `struct nfgenmsg`.
fn header(batch: &mut Vec<u8>, kind: u16, flags: u16, family: u8) {
    batch.extend_from_slice(&[0; 4]);
    batch.extend_from_slice(&kind.to_ne_bytes());
    batch.extend_from_slice(&flags.to_ne_bytes());
    batch.extend_from_slice(&[0; 8]);
    batch.extend_from_slice(&[family, 0, 0, 0]);
}

/// Writes the length of the message that begins at `start`.
fn close(batch: &mut [u8], start: usize) {
    let length = u32::try_from(batch.len() - start).unwrap_or(u32::MAX);
    batch[start..start + 4].copy_from_slice(&length.to_ne_bytes());
}

fn put(batch: &mut Vec<u8>, kind: u16, payload: &[u8]) {
    let length = u16::try_from(4 + payload.len()).unwrap_or(u16::MAX);
    batch.extend_from_slice(&length.to_ne_bytes());
    batch.extend_from_slice(&kind.to_ne_bytes());
    batch.extend_from_slice(payload);
    batch.resize(batch.len().next_multiple_of(4), 0);
}

fn nest(batch: &mut Vec<u8>, kind: u16, inside: impl FnOnce(&mut Vec<u8>)) {
    let start = batch.len();
    put(batch, kind | NESTED, &[]);
    inside(batch);
    let length = u16::try_from(batch.len() - start).unwrap_or(u16::MAX);
    batch[start..start + 2].copy_from_slice(&length.to_ne_bytes());
}
