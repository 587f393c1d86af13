//! Number of kprobe hits that the kernel skipped because another kprobe was running on that CPU.
//!
//! The kernel counts them per link and reports them since Linux 6.7; aya does not read them.

use std::{io, os::fd::OwnedFd};

use aya_obj::generated::{bpf_cmd, bpf_link_info};

use super::{
    bpf_syscall::{call, call_fd, object_info, zeroed_attr},
    btf::KernelTypes,
};

/// Kprobe links of some programs.
pub(crate) struct KprobeLinks(Vec<OwnedFd>);

impl KprobeLinks {
    /// The links of the programs with these ids.
    pub(crate) fn of(programs: &[u32]) -> io::Result<Self> {
        let mut links = Vec::new();
        let mut id = 0;
        loop {
            let mut attr = zeroed_attr();
            attr.__bindgen_anon_6.__bindgen_anon_1.start_id = id;
            // SAFETY: the struct holds no address.
            match unsafe { call(bpf_cmd::BPF_LINK_GET_NEXT_ID, &mut attr) } {
                Ok(_) => {}
                Err(error) if error.raw_os_error() == Some(libc::ENOENT) => return Ok(Self(links)),
                Err(error) => return Err(error),
            }
            // SAFETY: the kernel has written the variant that this command uses.
            id = unsafe { attr.__bindgen_anon_6.next_id };
            let mut attr = zeroed_attr();
            attr.__bindgen_anon_6.__bindgen_anon_1.link_id = id;
            // SAFETY: the struct holds no address, and the call returns a link descriptor.
            let link = match unsafe { call_fd(bpf_cmd::BPF_LINK_GET_FD_BY_ID, &mut attr) } {
                Ok(link) => link,
                // Detached since it was listed.
                Err(error) if error.raw_os_error() == Some(libc::ENOENT) => continue,
                Err(error) => return Err(error),
            };
            if programs.contains(&info(&link)?.prog_id) {
                links.push(link);
            }
        }
    }

    /// Number of skipped hits so far.
    pub(crate) fn missed(&self) -> u64 {
        self.0
            .iter()
            .filter_map(|link| {
                let info = info(link).ok()?;
                // SAFETY: plain integers, and for a kprobe's link this is the variant.
                Some(unsafe { info.__bindgen_anon_1.perf_event.__bindgen_anon_1.kprobe.missed })
            })
            .sum()
    }
}

/// Returns whether this kernel reports skipped hits.
pub(crate) fn are_reported(types: &KernelTypes) -> bool {
    let reader = types.func("bpf_get_kprobe_info").ok().flatten();
    reader.is_some_and(|function| function.params.iter().any(|param| param.name == "missed"))
}

fn info(link: &OwnedFd) -> io::Result<bpf_link_info> {
    // SAFETY: the struct is plain integers.
    let mut info: bpf_link_info = unsafe { std::mem::zeroed() };
    // SAFETY: the struct is a link's, without an address.
    unsafe { object_info(link, &mut info) }?;
    Ok(info)
}
