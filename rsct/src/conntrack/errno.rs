//! The kernel's refusals in conntrack's words, or in the GNU C library's: another library has other ones.

use super::command::Command;

/// What conntrack says when the kernel answers a command with this number.
pub(super) fn of_command(errno: i32, command: Command) -> String {
    /// What the kernel means by an operation that is not supported, where it leaks out.
    const ENOTSUPP: i32 = 524;
    let creates = matches!(command, Command::Create | Command::Add);
    // conntrack forgot these four when it wrote down for whom parameters may be invalid.
    let may_be_invalid = !matches!(
        command,
        Command::ExpectCount | Command::Stats | Command::ExpectStats | Command::Add
    );
    let own = match errno {
        ENOTSUPP if command == Command::List => "function not implemented",
        libc::EINVAL if may_be_invalid => "invalid parameters",
        libc::EEXIST if command == Command::Create => "Such conntrack exists, try -U to update",
        libc::ENOENT if creates || matches!(command, Command::Get | Command::Delete) => {
            "such conntrack doesn't exist"
        }
        libc::ENOMEM if creates || command == Command::Get => "not enough memory",
        libc::EAFNOSUPPORT if command == Command::Get => "protocol not supported",
        libc::ETIME if creates => "conntrack has expired",
        libc::ENOENT if command == Command::ExpectCreate => "master conntrack not found",
        libc::EPERM => "sorry, you must be root or get CAP_NET_ADMIN capability to do this",
        _ => return sentence(errno),
    };
    own.to_owned()
}

/// What the GNU C library says of a number.
pub(super) fn sentence(errno: i32) -> String {
    let known = match errno {
        0 => "Success",
        libc::EPERM => "Operation not permitted",
        libc::ENOENT => "No such file or directory",
        libc::ESRCH => "No such process",
        libc::EINTR => "Interrupted system call",
        libc::EIO => "Input/output error",
        libc::ENXIO => "No such device or address",
        libc::E2BIG => "Argument list too long",
        libc::EBADF => "Bad file descriptor",
        libc::EAGAIN => "Resource temporarily unavailable",
        libc::ENOMEM => "Cannot allocate memory",
        libc::EACCES => "Permission denied",
        libc::EFAULT => "Bad address",
        libc::EBUSY => "Device or resource busy",
        libc::EEXIST => "File exists",
        libc::ENODEV => "No such device",
        libc::ENOTDIR => "Not a directory",
        libc::EISDIR => "Is a directory",
        libc::EINVAL => "Invalid argument",
        libc::ENFILE => "Too many open files in system",
        libc::EMFILE => "Too many open files",
        libc::EFBIG => "File too large",
        libc::ENOSPC => "No space left on device",
        libc::ESPIPE => "Illegal seek",
        libc::EPIPE => "Broken pipe",
        libc::ERANGE => "Numerical result out of range",
        libc::ENAMETOOLONG => "File name too long",
        libc::ELOOP => "Too many levels of symbolic links",
        libc::ENODATA => "No data available",
        libc::ETIME => "Timer expired",
        libc::EPROTO => "Protocol error",
        libc::EOVERFLOW => "Value too large for defined data type",
        libc::EMSGSIZE => "Message too long",
        libc::ENOPROTOOPT => "Protocol not available",
        libc::EPROTONOSUPPORT => "Protocol not supported",
        libc::ESOCKTNOSUPPORT => "Socket type not supported",
        libc::EOPNOTSUPP => "Operation not supported",
        libc::EPFNOSUPPORT => "Protocol family not supported",
        libc::EAFNOSUPPORT => "Address family not supported by protocol",
        libc::EADDRINUSE => "Address already in use",
        libc::EADDRNOTAVAIL => "Cannot assign requested address",
        libc::ENOBUFS => "No buffer space available",
        libc::ETIMEDOUT => "Connection timed out",
        libc::ECONNREFUSED => "Connection refused",
        _ => return format!("Unknown error {errno}"),
    };
    known.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_told_as_conntrack_tells_it() {
        for (errno, command, said) in [
            (libc::EINVAL, Command::List, "invalid parameters"),
            (libc::EINVAL, Command::Add, "Invalid argument"),
            (
                libc::EEXIST,
                Command::Create,
                "Such conntrack exists, try -U to update",
            ),
            (libc::EEXIST, Command::ExpectCreate, "File exists"),
            (libc::ENOENT, Command::Update, "No such file or directory"),
            (libc::ENOENT, Command::ExpectCreate, "master conntrack not found"),
            (524, Command::Get, "Unknown error 524"),
        ] {
            assert_eq!(of_command(errno, command), said);
        }
    }
}
