//! The eBPF programs in the kernel: their ids, their names, and the instructions that the verifier walked for each.

use std::{
    collections::BTreeSet,
    ffi::CStr,
    io,
    mem::offset_of,
    os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd},
};

use anyhow::{Context as _, Result};

use super::wait;

const BPF_PROG_GET_NEXT_ID: i32 = 11;
const BPF_PROG_GET_FD_BY_ID: i32 = 13;
const BPF_OBJ_GET_INFO_BY_FD: i32 = 15;

/// Above this a program is slow to load; rsct loads up to fifty of them.
pub const MOST_VERIFIED: u32 = 10_000;

/// A loaded program.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Program {
    /// Its first 15 characters: the kernel keeps no more.
    pub name: String,
    /// Its number in this kernel.
    pub id: u32,
    /// Instructions that the verifier walked when the program was loaded.
    pub verified: u32,
}

/// The part of `union bpf_attr` for `BPF_PROG_GET_NEXT_ID` and `BPF_PROG_GET_FD_BY_ID`.
#[repr(C)]
struct ById {
    id: u32,
    next_id: u32,
    open_flags: u32,
}

/// The part of `union bpf_attr` for `BPF_OBJ_GET_INFO_BY_FD`.
#[repr(C)]
struct ByFd {
    fd: u32,
    info_len: u32,
    info: u64,
}

/// `struct bpf_prog_info` up to `verified_insns`; zeroed, so that the kernel fills no arrays.
#[derive(Default)]
#[repr(C)]
struct Info {
    type_to_map_ids: [u64; 8],
    name: [u8; 16],
    ifindex_to_recursion_misses: [u64; 17],
    verified_insns: u32,
    attach_btf_obj_id: u32,
}

const _: () = assert!(offset_of!(Info, name) == 64 && offset_of!(Info, verified_insns) == 216);

/// Ids of all programs in the kernel.
pub fn ids() -> Result<BTreeSet<u32>> {
    let mut attr = ById {
        id: 0,
        next_id: 0,
        open_flags: 0,
    };
    let mut ids = BTreeSet::new();
    loop {
        // SAFETY: ById is the command's part of union bpf_attr and holds no pointer.
        match unsafe { bpf(BPF_PROG_GET_NEXT_ID, &mut attr) } {
            Ok(_) => {
                ids.insert(attr.next_id);
                attr.id = attr.next_id;
            }
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => return Ok(ids),
            Err(error) => return Err(error).context("list the kernel's programs"),
        }
    }
}

/// The loaded programs whose ids are not in `known`.
pub fn other_than(known: &BTreeSet<u32>) -> Result<Vec<Program>> {
    let new = ids()?;
    let new = new.difference(known);
    new.filter_map(|id| look_up(*id).transpose()).collect()
}

/// Waits until the kernel has none of these programs any more.
pub fn wait_until_unloaded<'a>(programs: impl IntoIterator<Item = &'a Program>) -> Result<()> {
    let ours: BTreeSet<u32> = programs.into_iter().map(|program| program.id).collect();
    wait::until("rsct's programs are unloaded", || Ok(ids()?.is_disjoint(&ours)))
}

/// A program by its id; none if the kernel has freed it since the id was read.
fn look_up(id: u32) -> Result<Option<Program>> {
    let mut attr = ById {
        id,
        next_id: 0,
        open_flags: 0,
    };
    // SAFETY: ById is the command's part of union bpf_attr and holds no pointer.
    let fd = match unsafe { bpf(BPF_PROG_GET_FD_BY_ID, &mut attr) } {
        Ok(fd) => i32::try_from(fd).context("a descriptor")?,
        Err(error) if error.raw_os_error() == Some(libc::ENOENT) => return Ok(None),
        Err(error) => return Err(error).with_context(|| format!("open program {id}")),
    };
    // SAFETY: the kernel has just returned this descriptor, which nothing else owns.
    let fd = unsafe { OwnedFd::from_raw_fd(fd) };
    let mut info = Info::default();
    let mut attr = ByFd {
        fd: u32::try_from(fd.as_raw_fd()).context("a descriptor")?,
        info_len: size_of::<Info>() as u32,
        info: &raw mut info as u64,
    };
    // SAFETY: ByFd is the command's part of union bpf_attr; `info` points to `info_len` bytes that outlive the call, plain
    // integers for which the kernel may write anything.
    unsafe { bpf(BPF_OBJ_GET_INFO_BY_FD, &mut attr) }.with_context(|| format!("read program {id}"))?;
    let name = CStr::from_bytes_until_nul(&info.name).context("a program's name")?;
    // A program that only tests what the kernel accepts has no name.
    let name = if name.is_empty() { c"(unnamed)" } else { name };
    Ok(Some(Program {
        name: name.to_string_lossy().into_owned(),
        id,
        verified: info.verified_insns,
    }))
}

/// The system call bpf(2).
///
/// # Safety
///
/// `T` must be the part of `union bpf_attr` for `command`, and its pointers must be valid for the command.
unsafe fn bpf<T>(command: i32, attr: &mut T) -> io::Result<i64> {
    // SAFETY: the kernel reads and writes within `attr`, whose size is passed, and within the caller's pointers.
    let result = unsafe { libc::syscall(libc::SYS_bpf, command, std::ptr::from_mut(attr), size_of::<T>()) };
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}
