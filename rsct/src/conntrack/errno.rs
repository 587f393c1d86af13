//! The kernel's errors in conntrack's words, or in the C library's.

use super::command::Command;
use crate::clib::errno::sentence;

/// conntrack's text for an error of a command.
pub(super) fn of_command(errno: i32, command: Command) -> String {
    /// The kernel's internal "operation not supported", where it reaches user space.
    const ENOTSUPP: i32 = 524;
    let creates = matches!(command, Command::Create | Command::Add);
    // conntrack's table of EINVAL texts lacks these four commands.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernel_errors_match_conntrack() {
        for (errno, command, text) in [
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
            assert_eq!(of_command(errno, command), text);
        }
    }
}
