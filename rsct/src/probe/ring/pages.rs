//! The memory that a ring shares with the kernel (kernel/bpf/ringbuf.c): a page with the reader's position, a page with
//! the writers' position, and the records. The kernel has them twice in a row, so that each record is contiguous; of the
//! second copy the reader maps as much as a record needs, because both count as resident memory.

use std::{
    io,
    os::fd::{AsRawFd as _, BorrowedFd},
    ptr::{self, NonNull},
    slice,
    sync::atomic::{AtomicU32, AtomicUsize, Ordering},
};

/// The bytes before each record: its length with [`BUSY`] and [`DISCARDED`], and a word of the kernel.
const HEAD_BYTES: usize = 8;
/// The record is not complete yet.
const BUSY: u32 = 1 << 31;
/// The record was given up.
const DISCARDED: u32 = 1 << 30;

/// The most bytes of a record with its head: more than any that the programs write.
const MOST_BYTES: usize = 64 << 10;

/// A mapping, unmapped when dropped.
#[derive(Debug)]
struct Mapping {
    start: NonNull<u8>,
    bytes: usize,
}

impl Mapping {
    fn of(map: BorrowedFd<'_>, bytes: usize, protection: i32, offset: usize) -> io::Result<Self> {
        let offset = libc::off_t::try_from(offset).map_err(|_| io::ErrorKind::InvalidInput)?;
        // SAFETY: a new mapping, at an address that the kernel chooses.
        let start = unsafe {
            libc::mmap(
                ptr::null_mut(),
                bytes,
                protection,
                libc::MAP_SHARED,
                map.as_raw_fd(),
                offset,
            )
        };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let start = NonNull::new(start.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self { start, bytes })
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: nothing refers to this mapping after its owner.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.bytes) };
    }
}

/// The next record of a ring.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next<'a> {
    /// A record, and the position after it.
    Record(&'a [u8], usize),
    /// No record, and the position after it.
    Discarded(usize),
    /// There is none yet.
    None,
}

/// The shared memory of a ring.
#[derive(Debug)]
pub(super) struct Pages {
    consumed: NonNull<AtomicUsize>,
    produced: NonNull<AtomicUsize>,
    records: NonNull<u8>,
    mask: usize,
    _mappings: Option<[Mapping; 2]>,
}

// SAFETY: the mappings belong to the process, and other writers of this memory are the kernel's.
unsafe impl Send for Pages {}

impl Pages {
    /// Maps the ring `map`, whose size is `bytes`.
    pub(super) fn map(map: BorrowedFd<'_>, bytes: usize) -> io::Result<Self> {
        // SAFETY: sysconf reads no memory of the caller.
        let page = usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) })
            .map_err(|_| io::ErrorKind::Unsupported)?;
        let reader = Mapping::of(map, page, libc::PROT_READ | libc::PROT_WRITE, 0)?;
        let writer = Mapping::of(map, page + bytes + bytes.min(MOST_BYTES), libc::PROT_READ, page)?;
        Ok(Self {
            consumed: reader.start.cast(),
            produced: writer.start.cast(),
            // SAFETY: the records follow the page in the same mapping.
            records: unsafe { writer.start.add(page) },
            mask: bytes - 1,
            _mappings: Some([reader, writer]),
        })
    }

    /// The position up to which records were read.
    pub(super) fn consumed(&self) -> usize {
        // SAFETY: mapped and aligned.
        unsafe { self.consumed.as_ref() }.load(Ordering::Acquire)
    }

    /// Gives the memory before `position` back to the writers.
    #[inline(always)]
    pub(super) fn release(&mut self, position: usize) {
        // After all reads of these records. The kernel pairs this with the load in bpf_ringbuf_reserve().
        // SAFETY: mapped and aligned.
        unsafe { self.consumed.as_ref() }.store(position, Ordering::Release);
    }

    /// The position up to which records were begun.
    #[inline(always)]
    pub(super) fn produced(&self) -> usize {
        // SAFETY: mapped and aligned.
        unsafe { self.produced.as_ref() }.load(Ordering::Acquire)
    }

    /// The record at `position`, which is before [`Self::produced`] and not released. The record is valid until it is.
    #[inline(always)]
    pub(super) fn at(&self, position: usize) -> Next<'_> {
        // SAFETY: the head of a record that a writer has begun; aligned, because positions are multiples of 8.
        let record = unsafe { self.records.add(position & self.mask) };
        // SAFETY: as above. The load pairs with the exchange in bpf_ringbuf_commit().
        let head = unsafe { record.cast::<AtomicU32>().as_ref() }.load(Ordering::Acquire);
        if head & BUSY != 0 {
            return Next::None;
        }
        let bytes = (head & !DISCARDED) as usize;
        // The next multiple of 8.
        let after = position.wrapping_add((bytes + HEAD_BYTES + 7) & !7);
        if head & DISCARDED != 0 {
            return Next::Discarded(after);
        }
        // No program writes a longer one: its reader would count an empty record as malformed.
        let bytes = if bytes < MOST_BYTES - HEAD_BYTES { bytes } else { 0 };
        // SAFETY: the kernel has reserved that many bytes for it, its writer has written them, and they are mapped.
        let bytes = unsafe { slice::from_raw_parts(record.add(HEAD_BYTES).as_ptr(), bytes) };
        Next::Record(bytes, after)
    }
}

/// A ring in memory of a test, written as the kernel does.
#[cfg(test)]
pub(super) mod written {
    use super::*;

    #[derive(Debug)]
    pub(in crate::probe::ring) struct Written {
        words: Box<[u64]>,
        bytes: usize,
    }

    /// The places of both positions, and of the records.
    const CONSUMED: usize = 0;
    const PRODUCED: usize = 1;
    const RECORDS: usize = 2;

    impl Written {
        pub(in crate::probe::ring) fn new(bytes: usize) -> Self {
            assert!(bytes.is_power_of_two());
            Self {
                words: vec![0; RECORDS + 2 * bytes / 8].into(),
                bytes,
            }
        }

        pub(in crate::probe::ring) fn pages(&mut self) -> Pages {
            let start = NonNull::from(&mut *self.words).cast::<u64>();
            // SAFETY: within the words.
            let word = |at| unsafe { start.add(at) };
            Pages {
                consumed: word(CONSUMED).cast(),
                produced: word(PRODUCED).cast(),
                records: word(RECORDS).cast(),
                mask: self.bytes - 1,
                _mappings: None,
            }
        }

        /// Writes words of a record, or discards it; returns false if the ring is full.
        pub(in crate::probe::ring) fn write(pages: &mut Pages, record: &[u64], flags: u32) -> bool {
            let (position, bytes) = (pages.produced(), record.len() * 8);
            let size = bytes + HEAD_BYTES;
            if position + size - pages.consumed() > pages.mask + 1 {
                return false;
            }
            let head = u64::from(u32::try_from(bytes).unwrap() | flags);
            for (number, word) in [head].iter().chain(record).enumerate() {
                let at = (position + number * 8) & pages.mask;
                for at in [at, at + pages.mask + 1] {
                    // SAFETY: within the words of the test, in both copies.
                    unsafe { pages.records.add(at).cast::<u64>().write(*word) };
                }
            }
            // SAFETY: a word of the test.
            unsafe { pages.produced.as_ref() }.store(position + size, Ordering::Release);
            true
        }

        /// Completes the record at `position`.
        pub(in crate::probe::ring) fn complete(pages: &mut Pages, position: usize) {
            // SAFETY: a word of the test.
            let head = unsafe {
                pages
                    .records
                    .add(position & pages.mask)
                    .cast::<AtomicU32>()
                    .as_ref()
            };
            head.fetch_and(!BUSY, Ordering::Release);
        }
    }

    pub(in crate::probe::ring) const IS_BUSY: u32 = BUSY;
    pub(in crate::probe::ring) const IS_DISCARDED: u32 = DISCARDED;
}
