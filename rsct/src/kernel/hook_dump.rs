//! List of the functions that netfilter calls for a packet in this namespace.
//!
//! Only this list shows whether conntrack is in a namespace's packet path; its sysctls and counters do not.
//! Written against include/uapi/linux/netfilter/nfnetlink_hook.h (Linux 5.14).

use std::io;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};

/// `NFNL_SUBSYS_HOOK`; its only message, `NFNL_MSG_HOOK_GET`, is 0.
const SUBSYSTEM: u16 = 12;
const NFNLA_HOOK_HOOKNUM: u16 = 1;
const NFNLA_HOOK_FUNCTION_NAME: u16 = 4;
/// `NF_INET_PRE_ROUTING`
const PRE_ROUTING: u32 = 0;
/// `struct nlmsghdr`, `struct nfgenmsg` and `struct nlattr`.
const HEADER: usize = 16;
const FAMILY_HEADER: usize = 4;
const ATTRIBUTE: usize = 4;
/// Larger than the kernel's dump buffer.
const REPLY_BYTES: usize = 1 << 16;

/// The address family of the packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Family {
    /// IPv4.
    Ipv4 = 2,
    /// IPv6.
    Ipv6 = 10,
}

/// The hooks could not be listed.
#[derive(Debug, thiserror::Error)]
#[error("cannot list this namespace's netfilter hooks: {cause}")]
pub(crate) struct HookDumpError {
    cause: String,
}

/// Returns whether netfilter calls `function` for incoming packets.
pub(crate) fn is_hooked(family: Family, function: &str) -> Result<bool, HookDumpError> {
    let explain = |error: io::Error| {
        let cause = match error.raw_os_error() {
            Some(libc::EPERM) => "run as root or with the capability CAP_NET_ADMIN".to_owned(),
            // nfnetlink_rcv_msg returns these for a missing subsystem.
            Some(libc::EINVAL | libc::EOPNOTSUPP | libc::EPROTONOSUPPORT) => {
                "this kernel has no CONFIG_NETFILTER_NETLINK_HOOK, or its module is not installed".to_owned()
            }
            _ => error.to_string(),
        };
        HookDumpError { cause }
    };
    dump(family, function).map_err(explain)
}

fn dump(family: Family, function: &str) -> io::Result<bool> {
    let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC;
    // SAFETY: a plain system call.
    let socket = unsafe { libc::socket(libc::AF_NETLINK, kind, libc::NETLINK_NETFILTER) };
    if socket < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the descriptor is new, and nothing else owns it.
    let socket = unsafe { OwnedFd::from_raw_fd(socket) };
    let request = request(family);
    // SAFETY: pointer and length are the request's.
    let sent = unsafe { libc::send(socket.as_raw_fd(), request.as_ptr().cast(), request.len(), 0) };
    if sent < 0 {
        return Err(io::Error::last_os_error());
    }
    let mut reply = vec![0; REPLY_BYTES];
    let mut found = false;
    loop {
        // SAFETY: pointer and length are the buffer's.
        let length = unsafe { libc::recv(socket.as_raw_fd(), reply.as_mut_ptr().cast(), reply.len(), 0) };
        let Ok(length) = usize::try_from(length) else {
            return Err(io::Error::last_os_error());
        };
        let part = parse(&reply[..length], function)?;
        found |= part.found;
        if part.done {
            return Ok(found);
        }
    }
}

fn request(family: Family) -> Vec<u8> {
    let length = HEADER + FAMILY_HEADER + ATTRIBUTE + 4;
    let mut bytes = Vec::with_capacity(length);
    bytes.extend((length as u32).to_ne_bytes());
    bytes.extend((SUBSYSTEM << 8).to_ne_bytes());
    bytes.extend(((libc::NLM_F_REQUEST | libc::NLM_F_DUMP) as u16).to_ne_bytes());
    // Sequence number and port are not needed: there is one request.
    bytes.extend([0; 8]);
    bytes.extend([family as u8, 0, 0, 0]);
    bytes.extend(((ATTRIBUTE + 4) as u16).to_ne_bytes());
    bytes.extend(NFNLA_HOOK_HOOKNUM.to_ne_bytes());
    bytes.extend(PRE_ROUTING.to_be_bytes());
    bytes
}

#[derive(Debug, PartialEq, Eq)]
struct Part {
    found: bool,
    done: bool,
}

/// Parses one datagram of the dump.
fn parse(datagram: &[u8], function: &str) -> io::Result<Part> {
    let mut part = Part {
        found: false,
        done: false,
    };
    let mut rest = datagram;
    while !rest.is_empty() {
        let cut = || io::Error::new(io::ErrorKind::InvalidData, "a netlink message is truncated");
        let length = number(rest, 0).ok_or_else(cut)? as usize;
        let message = rest
            .get(..length)
            .filter(|message| message.len() >= HEADER)
            .ok_or_else(cut)?;
        // A dump that fails at once is an error message; one that fails later ends with DONE and an errno.
        match i32::from(u16::from_ne_bytes([message[4], message[5]])) {
            kind @ (libc::NLMSG_ERROR | libc::NLMSG_DONE) => {
                part.done = true;
                let errno = number(message, HEADER).unwrap_or(0).cast_signed();
                if errno < 0 {
                    return Err(io::Error::from_raw_os_error(errno.saturating_neg()));
                }
                if kind == libc::NLMSG_DONE {
                    return Ok(part);
                }
            }
            _ => {
                part.found |= names(
                    message.get(HEADER + FAMILY_HEADER..).unwrap_or_default(),
                    function,
                )
            }
        }
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    Ok(part)
}

/// Returns whether one of the attributes is the function's name.
fn names(attributes: &[u8], function: &str) -> bool {
    let mut rest = attributes;
    while let Some(&[low, high, kind_low, kind_high]) = rest.first_chunk::<ATTRIBUTE>() {
        let length = usize::from(u16::from_ne_bytes([low, high]));
        let Some(value) = rest.get(ATTRIBUTE..length) else {
            return false;
        };
        let name = value.split(|byte| *byte == 0).next().unwrap_or_default();
        if u16::from_ne_bytes([kind_low, kind_high]) == NFNLA_HOOK_FUNCTION_NAME
            && name == function.as_bytes()
        {
            return true;
        }
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    false
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(*bytes.get(at..)?.first_chunk()?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn message(kind: u16, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(HEADER + payload.len()).unwrap();
        let mut bytes = [
            &length.to_ne_bytes()[..],
            &kind.to_ne_bytes(),
            &[2, 0],
            &[0; 8],
            payload,
        ]
        .concat();
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    fn hook(function: &str) -> Vec<u8> {
        let length = u16::try_from(ATTRIBUTE + function.len() + 1).unwrap();
        let mut attributes = [8, 0, 2, 0, 0x80, 0, 0, 0].to_vec();
        attributes.extend(length.to_ne_bytes());
        attributes.extend(NFNLA_HOOK_FUNCTION_NAME.to_ne_bytes());
        attributes.extend([function.as_bytes(), &[0]].concat());
        message(SUBSYSTEM << 8, &[&[2, 0, 0, 0], &attributes[..]].concat())
    }

    #[test]
    fn a_hook_is_found_by_its_whole_name() {
        let done = message(3, &[0; 4]);
        let dump = [hook("ipv4_conntrack_defrag"), hook("ipv4_conntrack_in"), done].concat();
        assert_eq!(
            parse(&dump, "ipv4_conntrack_in").unwrap(),
            Part {
                found: true,
                done: true
            }
        );
        assert_eq!(
            parse(&dump, "ipv4_conntrack").unwrap(),
            Part {
                found: false,
                done: true
            }
        );
        assert_eq!(
            parse(&hook("x"), "x").unwrap(),
            Part {
                found: true,
                done: false
            }
        );
    }

    #[test]
    fn a_refusal_is_an_error() {
        // The answer of a kernel without the subsystem.
        let refusal = message(2, &(-libc::EINVAL).to_ne_bytes());
        assert_eq!(
            parse(&refusal, "x").unwrap_err().raw_os_error(),
            Some(libc::EINVAL)
        );
    }

    proptest! {
        #[test]
        fn any_bytes_are_an_answer_or_an_error(
            bytes in prop::collection::vec(any::<u8>(), 0..120), length in 0_u32..120,
        ) {
            let mut bytes = [hook("ipv4_conntrack_in"), bytes].concat();
            let _ = parse(&bytes, "x");
            bytes[..4].copy_from_slice(&length.to_ne_bytes());
            let _ = parse(&bytes, "x");
        }
    }
}
