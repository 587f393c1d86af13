//! How full a BPF ring buffer is, by the positions that the kernel shares with its readers (`ringbuf_map_mmap_kern`,
//! kernel/bpf/ringbuf.c).

use std::{
    io,
    os::fd::{AsRawFd as _, BorrowedFd},
    ptr,
    sync::atomic::{AtomicU64, Ordering},
};

/// The positions of the reader and of the kernel, each on a page of its own.
#[derive(Debug)]
pub(crate) struct RingFill {
    pages: ptr::NonNull<libc::c_void>,
    page_bytes: usize,
}

// SAFETY: the mapping belongs to the process, and is only read.
unsafe impl Send for RingFill {}

impl RingFill {
    /// Maps the positions of the ring buffer with this descriptor.
    pub(crate) fn of(ring: BorrowedFd<'_>) -> io::Result<Self> {
        // SAFETY: a plain call.
        let page_bytes = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
        let page_bytes = usize::try_from(page_bytes).map_err(|_| io::Error::last_os_error())?;
        // SAFETY: a new mapping at an address of the kernel's choice.
        let pages = unsafe {
            libc::mmap(
                ptr::null_mut(),
                2 * page_bytes,
                libc::PROT_READ,
                libc::MAP_SHARED,
                ring.as_raw_fd(),
                0,
            )
        };
        match ptr::NonNull::new(pages) {
            Some(pages) if pages.as_ptr() != libc::MAP_FAILED => Ok(Self { pages, page_bytes }),
            _ => Err(io::Error::last_os_error()),
        }
    }

    /// The bytes that wait for the reader.
    pub(crate) fn bytes(&self) -> u64 {
        let position = |page: usize| {
            // SAFETY: both pages are mapped as long as `self` exists, and each begins with a position, which the kernel
            // and aya access atomically.
            unsafe {
                let at = self.pages.as_ptr().byte_add(page * self.page_bytes);
                AtomicU64::from_ptr(at.cast()).load(Ordering::Acquire)
            }
        };
        let read = position(0);
        position(1).wrapping_sub(read)
    }
}

impl Drop for RingFill {
    fn drop(&mut self) {
        // SAFETY: the mapping is this value's own, and ends with it.
        unsafe { libc::munmap(self.pages.as_ptr(), 2 * self.page_bytes) };
    }
}
