//! Reads the value of an array map of any size: aya reads only values whose type is known at compile time.

use std::{
    io,
    os::fd::{AsRawFd as _, BorrowedFd},
};

use aya_obj::generated::{bpf_cmd, bpf_map_info, bpf_map_type};

use super::bpf_syscall::{BpfError, call, object_info, zeroed_attr};

/// Reads the first value of an array map.
pub(crate) fn first_value(map: BorrowedFd<'_>) -> Result<Vec<u8>, BpfError> {
    // SAFETY: the struct is plain integers.
    let mut info: bpf_map_info = unsafe { std::mem::zeroed() };
    // SAFETY: the struct is a map's, without an address; for another object the kernel fills in at most its
    // size.
    unsafe { object_info(map, &mut info) }.map_err(BpfError::Lookup)?;
    // Other map types may copy more than one value: one per CPU.
    if info.type_ != bpf_map_type::BPF_MAP_TYPE_ARRAY as u32 {
        return Err(BpfError::Lookup(io::ErrorKind::InvalidInput.into()));
    }
    let key = 0_u32;
    let mut value = vec![0; info.value_size as usize];
    let mut attr = zeroed_attr();
    // SAFETY: all variants are plain integers, and this one is what BPF_MAP_LOOKUP_ELEM reads.
    let lookup = unsafe { &mut attr.__bindgen_anon_2 };
    lookup.map_fd = map.as_raw_fd().cast_unsigned();
    lookup.key = std::ptr::from_ref(&key).expose_provenance() as u64;
    lookup.__bindgen_anon_1.value = value.as_mut_ptr().expose_provenance() as u64;
    // SAFETY: the addresses are those of `key`, which is read, and of `value`, which has the size of this
    // map's value.
    unsafe { call(bpf_cmd::BPF_MAP_LOOKUP_ELEM, &mut attr) }.map_err(BpfError::Lookup)?;
    Ok(value)
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd as _;

    use super::*;

    #[test]
    fn a_refused_lookup_is_an_error() {
        // Not a map: refused with EINVAL, or with EPERM without privileges.
        let file = std::fs::File::open("/dev/null").unwrap();
        assert!(first_value(file.as_fd()).unwrap_err().errno().is_some());
    }
}
