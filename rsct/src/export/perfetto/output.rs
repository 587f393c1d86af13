//! The file: packets one after another, up to a size. Each beginning of it that ends with a packet is a valid trace.

use std::io::{self, Write};

use super::proto;

/// `Trace.packet`.
const PACKET: u32 = 1;
/// The buffer is written at this size.
const BUFFER_BYTES: usize = 128 << 10;

/// Writes packets.
#[derive(Debug)]
pub(super) struct Output<W> {
    to: W,
    buffer: Vec<u8>,
    /// The size of the file without the buffer.
    written: u64,
    most: u64,
    is_full: bool,
    error: Option<io::Error>,
}

impl<W: Write> Output<W> {
    /// A file of at most `most` bytes.
    pub(super) fn new(to: W, most: u64) -> Self {
        Self {
            to,
            buffer: Vec::with_capacity(BUFFER_BYTES),
            written: 0,
            most,
            is_full: false,
            error: None,
        }
    }

    /// Appends one packet. Returns false if it does not fit: then no later one is appended either.
    pub(super) fn packet(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> bool {
        if self.is_done() {
            return false;
        }
        let start = self.buffer.len();
        proto::message(&mut self.buffer, PACKET, write);
        if self.bytes() > self.most {
            self.buffer.truncate(start);
            self.is_full = true;
            return false;
        }
        if self.buffer.len() >= BUFFER_BYTES {
            self.flush();
        }
        true
    }

    /// The size of the file.
    pub(super) fn bytes(&self) -> u64 {
        self.written + self.buffer.len() as u64
    }

    /// Returns whether a packet did not fit.
    pub(super) fn is_full(&self) -> bool {
        self.is_full
    }

    /// Returns whether nothing more is appended.
    pub(super) fn is_done(&self) -> bool {
        self.is_full || self.error.is_some()
    }

    /// Writes the buffer. Returns the error of the first failed write.
    pub(super) fn finish(mut self) -> Result<(), io::Error> {
        self.flush();
        match self.error {
            Some(error) => Err(error),
            None => self.to.flush(),
        }
    }

    fn flush(&mut self) {
        if self.error.is_none() {
            self.error = self.to.write_all(&self.buffer).err();
        }
        self.written += self.buffer.len() as u64;
        self.buffer.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_that_does_not_fit_ends_the_file() {
        let mut file = Vec::new();
        let mut output = Output::new(&mut file, 10);
        assert!(output.packet(|out| proto::text(out, 1, "abcd")));
        assert!(!output.packet(|out| proto::text(out, 1, "efgh")) && output.is_full());
        assert!(!output.packet(|_| {}), "a smaller one may not follow");
        assert_eq!(output.bytes(), 8);
        output.finish().unwrap();
        assert_eq!(file, b"\x0a\x06\x0a\x04abcd");
    }

    #[test]
    fn a_failed_write_is_returned() {
        struct Full;
        impl Write for Full {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::StorageFull.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let mut output = Output::new(Full, u64::MAX);
        output.packet(|out| out.resize(BUFFER_BYTES, 0));
        assert!(output.is_done() && !output.is_full());
        assert_eq!(output.finish().unwrap_err().kind(), io::ErrorKind::StorageFull);
    }
}
