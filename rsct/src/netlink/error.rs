//! Errors of communication with ctnetlink.

use std::io;

use thiserror::Error;

use super::{conntrack::DecodeError, message::EnvelopeError};

/// An exchange with ctnetlink failed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum Error {
    /// The kernel has no netfilter netlink.
    #[error(
        "opening a netfilter netlink socket: the kernel does not support it; load its module with `modprobe \
         nf_conntrack_netlink`"
    )]
    NoNetfilter,
    /// The socket cannot be opened or used.
    #[error("{operation} a netfilter netlink socket: {source}")]
    Socket {
        /// The operation.
        operation: &'static str,
        /// The kernel's error.
        source: io::Error,
    },
    /// A thread cannot enter the namespace.
    #[error("entering network namespace {inode} to open a socket there: {}{}", .source, permission_hint(.source))]
    EnterNamespace {
        /// The namespace's inode number.
        inode: u64,
        /// The kernel's error.
        source: io::Error,
    },
    /// This process lacks privileges.
    #[error("{operation}: not permitted; run as root or with the capability CAP_NET_ADMIN")]
    NotPermitted {
        /// The operation.
        operation: &'static str,
    },
    /// The kernel has no ctnetlink.
    #[error(
        "{operation}: the kernel has no ctnetlink, and could not load it; run `modprobe nf_conntrack_netlink`, or use a \
         kernel built with CONFIG_NF_CT_NETLINK"
    )]
    NoCtnetlink {
        /// The operation.
        operation: &'static str,
        /// The errno that the kernel returned.
        errno: i32,
    },
    /// The kernel refused a request.
    #[error("{operation}: {source}{}", .detail.as_deref().map(|d| format!(" ({d})")).unwrap_or_default())]
    Refused {
        /// The operation.
        operation: &'static str,
        /// The kernel's error.
        source: io::Error,
        /// The kernel's message about it (NLMSGERR_ATTR_MSG).
        detail: Option<String>,
    },
    /// Messages arrived faster than they were read, and the kernel dropped some.
    #[error("netlink messages were lost (ENOBUFS): the socket's receive buffer was full; {hint}")]
    Overrun {
        /// The consequence, or advice.
        hint: &'static str,
    },
    /// The kernel's answer was lost.
    #[error(
        "{operation}: result unknown because netlink messages were lost (ENOBUFS); check whether the entry \
         exists, and try again if necessary"
    )]
    Unanswered {
        /// The operation.
        operation: &'static str,
    },
    /// A signal arrived during a wait for the kernel's answer.
    #[error("waiting for netlink messages: ended by {}", crate::kernel::interrupt::name(*.signal))]
    Signal {
        /// Its number.
        signal: i32,
    },
    /// A datagram was larger than the buffer.
    #[error("receiving from netlink: a datagram of {got} bytes was truncated to {capacity}")]
    Truncated {
        /// Its size.
        got: usize,
        /// The buffer's size.
        capacity: usize,
    },
    /// The table changed during every attempt.
    #[error(
        "dumping the conntrack table: it changed during each of {tries} attempts; try again when it changes \
         less"
    )]
    Interrupted {
        /// Number of attempts.
        tries: u32,
    },
    /// The bytes are not netlink messages.
    #[error("reading from netlink: {0}; this is a bug in the kernel or in rsct")]
    Envelope(#[from] EnvelopeError),
    /// The bytes are not a conntrack entry.
    #[error("reading from netlink: {0}; this is a bug in the kernel or in rsct")]
    Decode(#[from] DecodeError),
}

impl Error {
    /// Converts the kernel's refusal of a request into an error.
    pub(super) fn refused(operation: &'static str, errno: i32, detail: Option<String>) -> Self {
        match errno {
            libc::EPERM => Self::NotPermitted { operation },
            // nfnetlink_rcv_msg() returns EINVAL if the subsystem is still unknown after an attempt to load
            // it; no other case returns this errno for a well-formed request.
            libc::EINVAL | libc::EOPNOTSUPP if detail.is_none() => Self::NoCtnetlink { operation, errno },
            _ => Self::Refused {
                operation,
                source: io::Error::from_raw_os_error(errno),
                detail,
            },
        }
    }

    /// Like [`Error::refused`], for subsystems that return EINVAL and EOPNOTSUPP for other causes.
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

    /// The errno that the kernel returned, if any.
    pub fn errno(&self) -> Option<i32> {
        match self {
            Self::NotPermitted { .. } => Some(libc::EPERM),
            Self::NoCtnetlink { errno, .. } => Some(*errno),
            Self::Refused { source, .. } | Self::Socket { source, .. } => source.raw_os_error(),
            Self::Overrun { .. } | Self::Unanswered { .. } => Some(libc::ENOBUFS),
            _ => None,
        }
    }

    /// Returns whether the error would occur in every network namespace: a lack of privileges or descriptors.
    pub fn is_everywhere(&self) -> bool {
        let of_process =
            |error: &io::Error| matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE));
        self.is_not_permitted() || matches!(self, Self::Socket { source, .. } if of_process(source))
    }

    /// Returns whether the process lacks privileges.
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
