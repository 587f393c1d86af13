//! The fixed parts of the format: the header of a file, and the head of a frame. docs/recording.md describes them.

mod head;
mod header;
mod needs;

pub(super) use head::{HEAD_BYTES, TRAILER_BYTES};
pub use head::{Head, Kinds};
pub(super) use header::{HEADER_BYTES, Header, HeaderFault, MAGIC};
pub use needs::{Needs, Rsct};

/// The version of the format.
pub const VERSION: u32 = 1;
/// The version of the records' layout in rsct-common.
pub const LAYOUT: u16 = 1;

/// The longest payload of a frame, compressed or not.
pub const MAX_FRAME_BYTES: usize = 1 << 20;

/// The types of frames.
pub mod frame {
    /// Records, delta coded.
    pub const RECORDS: u8 = 1;
    /// A note.
    pub const NOTE: u8 = 2;
    /// The positions of the frames since the last index.
    pub const INDEX: u8 = 3;
    /// The end of a recording that was closed.
    pub const END: u8 = 4;
    /// A reader skips unknown types below, and refuses those from here on.
    pub const MUST_UNDERSTAND: u8 = 128;
}
