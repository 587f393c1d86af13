//! Maps vmlinux's BTF without a copy (`btf_sysfs_vmlinux_mmap`, kernel/bpf/sysfs_btf.c; Linux 6.16 and
//! later).

use std::{fs::File, os::fd::AsRawFd as _, path::Path, ptr, slice, sync::OnceLock};

/// Maps all of vmlinux's BTF; returns `None` if this kernel does not support it.
///
/// The process maps it once and never unmaps it: the pages are the kernel's and cost no memory.
pub(super) fn vmlinux(path: &Path) -> Option<&'static [u8]> {
    static MAPPED: OnceLock<Option<&'static [u8]>> = OnceLock::new();
    *MAPPED.get_or_init(|| map(path))
}

fn map(path: &Path) -> Option<&'static [u8]> {
    let file = File::open(path).ok()?;
    let bytes = usize::try_from(file.metadata().ok()?.len()).ok()?;
    // SAFETY: a new mapping, at an address that the kernel chooses.
    let start = unsafe {
        libc::mmap(
            ptr::null_mut(),
            bytes,
            libc::PROT_READ,
            libc::MAP_PRIVATE,
            file.as_raw_fd(),
            0,
        )
    };
    if start == libc::MAP_FAILED {
        return None;
    }
    // SAFETY: the kernel has mapped that many bytes, does not change them, and nothing here unmaps them.
    Some(unsafe { slice::from_raw_parts(start.cast(), bytes) })
}
