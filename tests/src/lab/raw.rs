//! Packets that no well-behaved socket would send.

use std::{
    net::{Ipv4Addr, SocketAddrV4},
    os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd},
};

use anyhow::{Context as _, Result, ensure};

/// TCP's flags.
pub const SYN: u8 = 2;
/// Acknowledges.
pub const ACK: u8 = 16;
/// Resets.
pub const RST: u8 = 4;

/// Sends `payload` as protocol `number` from wherever the route says; the kernel writes the IP header.
pub fn send(number: u8, to: Ipv4Addr, payload: &[u8]) -> Result<()> {
    // SAFETY: plain integers; the result is checked before it is owned.
    let fd = unsafe {
        libc::socket(
            libc::AF_INET,
            libc::SOCK_RAW | libc::SOCK_CLOEXEC,
            i32::from(number),
        )
    };
    ensure!(fd >= 0, "open a raw socket: {}", std::io::Error::last_os_error());
    // SAFETY: the descriptor was just made and is nobody else's.
    let socket = unsafe { OwnedFd::from_raw_fd(fd) };
    let address = libc::sockaddr_in {
        sin_family: libc::AF_INET as u16,
        sin_port: 0,
        sin_addr: libc::in_addr {
            s_addr: u32::from_ne_bytes(to.octets()),
        },
        sin_zero: [0; 8],
    };
    // SAFETY: both pointers are to live values of the lengths given.
    let sent = unsafe {
        libc::sendto(
            socket.as_raw_fd(),
            payload.as_ptr().cast(),
            payload.len(),
            0,
            (&raw const address).cast(),
            size_of::<libc::sockaddr_in>() as u32,
        )
    };
    ensure!(
        usize::try_from(sent).is_ok_and(|sent| sent == payload.len()),
        "send a raw packet to {to}: {}",
        std::io::Error::last_os_error()
    );
    Ok(())
}

/// Sends a TCP segment without data that belongs to no socket.
pub fn tcp(from: SocketAddrV4, to: SocketAddrV4, flags: u8, seq: u32) -> Result<()> {
    let mut segment = Vec::with_capacity(20);
    segment.extend_from_slice(&from.port().to_be_bytes());
    segment.extend_from_slice(&to.port().to_be_bytes());
    segment.extend_from_slice(&seq.to_be_bytes());
    // An acknowledgement, five words of header, flags, window, checksum, urgent pointer.
    segment.extend_from_slice(&[0; 4]);
    segment.extend_from_slice(&[5 << 4, flags, 0xff, 0xff, 0, 0, 0, 0]);
    let sum = checksum(*from.ip(), *to.ip(), 6, &segment)?;
    segment[16..18].copy_from_slice(&sum.to_be_bytes());
    send(6, *to.ip(), &segment)
}

/// The Internet checksum with the pseudo header that TCP and its like are summed with.
pub fn checksum(from: Ipv4Addr, to: Ipv4Addr, number: u8, payload: &[u8]) -> Result<u16> {
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
pub fn internet_checksum(bytes: &[u8]) -> u16 {
    let mut sum: u32 = bytes
        .chunks(2)
        .map(|pair| u32::from(pair[0]) << 8 | pair.get(1).copied().map_or(0, u32::from))
        .sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}
