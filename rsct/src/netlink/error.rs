//! What can go wrong between rsct and ctnetlink.

use std::io;

use thiserror::Error;

use super::{conntrack::DecodeError, message::EnvelopeError};

/// Why an exchange with ctnetlink failed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// The kernel has no netfilter netlink.
    #[error(
        "opening a netfilter netlink socket: the kernel knows no such protocol; load its module with \
         `modprobe nf_conntrack_netlink`"
    )]
    NoNetfilter,
    /// The socket can't be had.
    #[error("{operation} a netfilter netlink socket: {source}")]
    Socket {
        /// What was tried.
        operation: &'static str,
        /// What the kernel said.
        source: io::Error,
    },
    /// A thread can't step into the namespace.
    #[error("entering network namespace {inode} to open a socket there: {}{}", .source, permission_hint(.source))]
    EnterNamespace {
        /// The namespace's inode number.
        inode: u64,
        /// What the kernel said.
        source: io::Error,
    },
    /// The kernel wants more rights than we have.
    #[error("{operation}: not permitted; run as root or with the capability CAP_NET_ADMIN")]
    NotPermitted {
        /// What was asked of the kernel.
        operation: &'static str,
    },
    /// Nobody in the kernel answers for conntrack.
    #[error(
        "{operation}: the kernel has no ctnetlink, and couldn't load it; run `modprobe nf_conntrack_netlink`, or use a \
         kernel built with CONFIG_NF_CT_NETLINK"
    )]
    NoCtnetlink {
        /// What was asked of the kernel.
        operation: &'static str,
        /// The number of the error that it answered with.
        errno: i32,
    },
    /// The kernel refused a request.
    #[error("{operation}: {source}{}", .detail.as_deref().map(|d| format!(" ({d})")).unwrap_or_default())]
    Refused {
        /// What was asked of the kernel.
        operation: &'static str,
        /// The error it answered with.
        source: io::Error,
        /// What it said besides (NLMSGERR_ATTR_MSG).
        detail: Option<String>,
    },
    /// Messages came faster than they were read, and the kernel dropped some.
    #[error("netlink messages were lost (ENOBUFS): the socket's receive buffer was full; {hint}")]
    Overrun {
        /// What to do.
        hint: &'static str,
    },
    /// The kernel's answer was among what was lost.
    #[error(
        "{operation}: whether it was done is not known, as netlink messages were lost (ENOBUFS); look for the entry, \
         and try again if need be"
    )]
    Unanswered {
        /// What was asked of the kernel.
        operation: &'static str,
    },
    /// A signal arrived while the kernel's answer was waited for.
    #[error("waiting for netlink messages: ended by {}", crate::kernel::interrupt::name(*.signal))]
    Signal {
        /// Its number.
        signal: i32,
    },
    /// A datagram was larger than the room for it.
    #[error("receiving from netlink: a datagram of {got} bytes was cut to {room}")]
    Cut {
        /// Its size.
        got: usize,
        /// The room there was.
        room: usize,
    },
    /// The table didn't hold still.
    #[error(
        "dumping the conntrack table: it changed under the kernel's hands {tries} times in a row; try again when \
         it is quieter"
    )]
    Interrupted {
        /// Dumps begun.
        tries: u32,
    },
    /// The bytes are no netlink messages.
    #[error("reading from netlink: {0}; this is a fault in the kernel or in rsct")]
    Envelope(#[from] EnvelopeError),
    /// The bytes are no conntrack entry.
    #[error("reading from netlink: {0}; this is a fault in the kernel or in rsct")]
    Decode(#[from] DecodeError),
}

impl Error {
    /// Gives the kernel's refusal of a request its meaning.
    pub(super) fn refused(operation: &'static str, errno: i32, detail: Option<String>) -> Self {
        match errno {
            libc::EPERM => Self::NotPermitted { operation },
            // nfnetlink_rcv_msg() says EINVAL when the subsystem stays unknown after it tried to
            // load it; a well-formed request has no other way to that error.
            libc::EINVAL | libc::EOPNOTSUPP if detail.is_none() => Self::NoCtnetlink { operation, errno },
            _ => Self::Refused {
                operation,
                source: io::Error::from_raw_os_error(errno),
                detail,
            },
        }
    }

    /// [`Error::refused`], for subsystems that have their own use for EINVAL and EOPNOTSUPP.
    pub(super) fn refused_plainly(operation: &'static str, errno: i32, detail: Option<String>) -> Self {
        match errno {
            libc::EPERM => Self::NotPermitted { operation },
            _ => Self::Refused {
                operation,
                source: io::Error::from_raw_os_error(errno),
                detail,
            },
        }
    }

    /// The number of the error that the kernel answered with, where it answered.
    pub fn errno(&self) -> Option<i32> {
        match self {
            Self::NotPermitted { .. } => Some(libc::EPERM),
            Self::NoCtnetlink { errno, .. } => Some(*errno),
            Self::Refused { source, .. } | Self::Socket { source, .. } => source.raw_os_error(),
            Self::Overrun { .. } | Self::Unanswered { .. } => Some(libc::ENOBUFS),
            _ => None,
        }
    }

    /// Whether it would be the same in every network namespace: rights are missing, or descriptors.
    pub fn is_everywhere(&self) -> bool {
        let of_process =
            |error: &io::Error| matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE));
        self.is_not_permitted() || matches!(self, Self::Socket { source, .. } if of_process(source))
    }

    /// Whether the kernel wants more rights than we have.
    pub fn is_not_permitted(&self) -> bool {
        match self {
            Self::NotPermitted { .. } => true,
            Self::EnterNamespace { source, .. } => source.kind() == io::ErrorKind::PermissionDenied,
            _ => false,
        }
    }
}

fn permission_hint(source: &io::Error) -> &'static str {
    if source.kind() == io::ErrorKind::PermissionDenied {
        "; run as root or with the capability CAP_SYS_ADMIN"
    } else {
        ""
    }
}
