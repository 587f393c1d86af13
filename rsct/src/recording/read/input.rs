//! Reading a fixed number of bytes, of which the file may have fewer.

use std::io::{self, Read};

/// Fills `bytes` as far as the input goes. Returns the number of bytes.
pub(super) fn fill(input: &mut impl Read, bytes: &mut [u8]) -> io::Result<usize> {
    let mut size = 0;
    while let Some(rest @ [_, ..]) = bytes.get_mut(size..) {
        match input.read(rest) {
            Ok(0) => break,
            Ok(read) => size += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => (),
            Err(error) => return Err(error),
        }
    }
    Ok(size)
}
