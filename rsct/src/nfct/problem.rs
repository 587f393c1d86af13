//! Errors in the old command's form.

use super::VERSION;
use crate::{clib::errno, message, netlink::Error};

/// An error that ends the command: a text for stderr, and an exit code.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Problem {
    text: Vec<u8>,
    code: u8,
}

impl Problem {
    /// A message after the command's name and version.
    pub(super) fn new(sentence: impl AsRef<[u8]>) -> Self {
        let name = format!("nfct v{VERSION}: ");
        Self {
            text: [name.as_bytes(), sentence.as_ref(), b"\n"].concat(),
            code: 1,
        }
    }

    /// A message, with the C library's text for the errno that an earlier call left; without it if there was no error.
    pub(super) fn with_errno(sentence: &str, errno: i32) -> Self {
        match errno {
            0 => Self::new(sentence),
            errno => Self::new(format!("{sentence}: {}", errno::sentence(errno))),
        }
    }

    /// A refusal by the kernel.
    pub(super) fn refused(error: &Error) -> Self {
        Self::new(format!("netlink error: {}", cause(error)))
    }

    /// Failure to open the socket.
    pub(super) fn no_socket(error: &Error) -> Self {
        /// `main` returns -1.
        const CODE: u8 = 255;
        Self {
            code: CODE,
            ..Self::new(format!("cannot open netlink: {}", cause(error)))
        }
    }

    /// Appends to the text.
    pub(super) fn append(mut self, more: &[&[u8]]) -> Self {
        self.text.extend(more.concat());
        self
    }

    /// The usage text alone.
    pub(super) fn usage(program: &[u8]) -> Self {
        let text = Vec::new();
        Self { text, code: 1 }.append_usage(program)
    }

    /// Appends the usage text.
    pub(super) fn append_usage(self, program: &[u8]) -> Self {
        self.append(&[b"Usage: ", program, b" command subsystem [parameters]...\n"])
    }

    /// The text.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.text
    }

    /// Prints the text and returns the exit code.
    pub(super) fn print(&self) -> u8 {
        message::write(&self.text);
        self.code
    }

    /// The text without the program name.
    #[cfg(test)]
    pub(super) fn text(&self) -> String {
        let text = String::from_utf8_lossy(&self.text);
        text.replace(&format!("nfct v{VERSION}: "), "")
    }
}

/// An error in the C library's words, if it has a number.
fn cause(error: &Error) -> String {
    match (error, error.errno()) {
        (_, Some(number)) => errno::sentence(number),
        // The error does not keep the kernel's number for a missing protocol.
        (Error::NoNetfilter, None) => errno::sentence(libc::EPROTONOSUPPORT),
        (error, None) => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_errno_follows_the_message() {
        assert_eq!(
            Problem::with_errno("too many arguments", 0).text(),
            "too many arguments\n"
        );
        let text = Problem::with_errno("unknown layer 4 protocol", libc::ENOENT).text();
        assert_eq!(text, "unknown layer 4 protocol: No such file or directory\n");
    }

    #[test]
    fn missing_netfilter_matches_nfct() {
        let problem = Problem::no_socket(&Error::NoNetfilter);
        assert_eq!(problem.text(), "cannot open netlink: Protocol not supported\n");
        assert_eq!(problem.code, 255);
    }
}
