//! Packets that no well-behaved socket would send.

use std::{
    io::Error,
    net::{IpAddr, Ipv4Addr, SocketAddrV4},
    os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd},
};

use anyhow::{Context as _, Result, ensure};

use super::undisturbed::undisturbed;

/// TCP's SYN flag.
pub const SYN: u8 = 2;
/// TCP's ACK flag.
pub const ACK: u8 = 16;
/// TCP's RST flag.
pub const RST: u8 = 4;

/// Sends `payload` as protocol `number` from the address that the route selects; the kernel writes the IP header.
pub fn send(number: u8, to: IpAddr, payload: &[u8]) -> Result<()> {
    let family = if to.is_ipv4() {
        libc::AF_INET
    } else {
        libc::AF_INET6
    };
    // SAFETY: plain integers; the result is checked before it is owned.
    let fd = unsafe { libc::socket(family, libc::SOCK_RAW | libc::SOCK_CLOEXEC, i32::from(number)) };
    ensure!(fd >= 0, "open a raw socket: {}", Error::last_os_error());
    // SAFETY: the descriptor is new and has no other owner.
    let socket = unsafe { OwnedFd::from_raw_fd(fd) };
    // SAFETY: plain integers, for which zero is a value.
    let mut address: libc::sockaddr_in6 = unsafe { std::mem::zeroed() };
    let mut length = size_of::<libc::sockaddr_in6>();
    match to {
        IpAddr::V6(to) => {
            address.sin6_family = libc::AF_INET6 as u16;
            address.sin6_addr.s6_addr = to.octets();
        }
        IpAddr::V4(to) => {
            length = size_of::<libc::sockaddr_in>();
            let place = (&raw mut address).cast::<libc::sockaddr_in>();
            // SAFETY: the larger address has space for the smaller, at a sufficient alignment.
            unsafe {
                (*place).sin_family = libc::AF_INET as u16;
                (*place).sin_addr.s_addr = u32::from_ne_bytes(to.octets());
            }
        }
    }
    undisturbed(|| {
        // SAFETY: both pointers are to live values of at least the lengths given.
        let sent = unsafe {
            libc::sendto(
                socket.as_raw_fd(),
                payload.as_ptr().cast(),
                payload.len(),
                0,
                (&raw const address).cast(),
                length as u32,
            )
        };
        ensure!(
            usize::try_from(sent).is_ok_and(|sent| sent == payload.len()),
            "send a raw packet to {to}: {}",
            Error::last_os_error()
        );
        Ok(())
    })
}

/// Sends an echo request. The kernel calculates the checksum of ICMPv6 itself.
pub fn ping(to: IpAddr, id: u16) -> Result<()> {
    let [high, low] = id.to_be_bytes();
    let mut echo = [8, 0, 0, 0, high, low, 0, 1];
    if to.is_ipv6() {
        echo[0] = 128;
        return send(58, to, &echo);
    }
    let sum = internet_checksum(&echo);
    echo[2..4].copy_from_slice(&sum.to_be_bytes());
    send(1, to, &echo)
}

/// Sends an ICMP message of this type and code, with an id and a number or the packet that caused an error.
pub fn icmp(to: Ipv4Addr, kind: u8, code: u8, rest: &[u8]) -> Result<()> {
    let mut message = [&[kind, code, 0, 0], rest].concat();
    let sum = internet_checksum(&message);
    message[2..4].copy_from_slice(&sum.to_be_bytes());
    send(1, IpAddr::V4(to), &message)
}

/// Sends a TCP segment without data or acknowledgement that belongs to no socket.
pub fn tcp(from: SocketAddrV4, to: SocketAddrV4, flags: u8, seq: u32) -> Result<()> {
    tcp_ack(from, to, flags, seq, 0)
}

/// The same with an acknowledgement.
pub fn tcp_ack(from: SocketAddrV4, to: SocketAddrV4, flags: u8, seq: u32, ack: u32) -> Result<()> {
    let mut segment = Vec::with_capacity(20);
    segment.extend_from_slice(&from.port().to_be_bytes());
    segment.extend_from_slice(&to.port().to_be_bytes());
    segment.extend_from_slice(&seq.to_be_bytes());
    segment.extend_from_slice(&ack.to_be_bytes());
    // Five words of header, flags, window, checksum, urgent pointer.
    segment.extend_from_slice(&[5 << 4, flags, 0xff, 0xff, 0, 0, 0, 0]);
    let sum = checksum(*from.ip(), *to.ip(), 6, &segment)?;
    segment[16..18].copy_from_slice(&sum.to_be_bytes());
    send(6, IpAddr::V4(*to.ip()), &segment)
}

/// The Internet checksum with the pseudo header of TCP and similar protocols.
fn checksum(from: Ipv4Addr, to: Ipv4Addr, number: u8, payload: &[u8]) -> Result<u16> {
    let length = u16::try_from(payload.len()).context("a packet's length")?;
    let pseudo = [
        &from.octets()[..],
        &to.octets(),
        &[0, number],
        &length.to_be_bytes(),
        payload,
    ]
    .concat();
    Ok(internet_checksum(&pseudo))
}

/// The Internet checksum.
fn internet_checksum(bytes: &[u8]) -> u16 {
    let mut sum: u32 = bytes
        .chunks(2)
        .map(|pair| u32::from(pair[0]) << 8 | pair.get(1).copied().map_or(0, u32::from))
        .sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}
