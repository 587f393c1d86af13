//! The bpf(2) calls that aya does not make.
//!
//! aya cannot load an fentry program for a module's function (it never passes `attach_btf_obj_fd`), has no
//! trial load and reads only some of a program's counters. This file holds only these calls, so that it can
//! be deleted when aya has them.

use std::ffi::{CStr, c_long};
use std::io;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd, RawFd};

use aya_obj::generated::{
    bpf_attach_type, bpf_attr, bpf_btf_info, bpf_cmd, bpf_insn, bpf_prog_info, bpf_prog_type,
};

/// Size of the verifier log buffer. If the log is longer, Linux 6.4 and later keep its end, older kernels its
/// beginning.
const LOG_BYTES: usize = 1 << 20;
/// Attempts at a load that a signal interrupts; the number is libbpf's.
const INTERRUPTED_LOADS: usize = 5;

/// A failed bpf(2) call.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum BpfError {
    /// The kernel rejected a program.
    #[error(
        "the kernel refuses the program {program}: {source}{}{}",
        over_limit(source, log),
        log_summary(log)
    )]
    Load {
        /// Its name.
        program: String,
        /// The errno.
        source: io::Error,
        /// The verifier log; empty if the kernel refused before verification.
        log: String,
    },
    /// A loaded program could not be attached.
    #[error("cannot attach the BPF program: {0}")]
    Attach(#[source] io::Error),
    /// The kernel's BTF objects could not be listed.
    #[error("cannot list the kernel's BTF objects: {0}; run as root or with the capability CAP_SYS_ADMIN")]
    ListBtf(#[source] io::Error),
    /// The kernel has no BTF object of this name.
    #[error("the kernel has no BTF for the module {module}; load it with `modprobe {module}`")]
    NoModule {
        /// The module.
        module: String,
    },
    /// A map could not be created.
    #[error("cannot create a BPF map: {0}")]
    Map(#[source] io::Error),
    /// A test run of a program failed.
    #[error("cannot test-run a BPF program: {0}")]
    TestRun(#[source] io::Error),
    /// A program's counters could not be read.
    #[error("cannot read a BPF program's counters: {0}")]
    Info(#[source] io::Error),
    /// A map's value could not be read.
    #[error("cannot read a BPF map's value: {0}")]
    Lookup(#[source] io::Error),
}

impl BpfError {
    /// The errno, if the error has one.
    pub(crate) fn errno(&self) -> Option<i32> {
        match self {
            Self::Load { source, .. }
            | Self::Attach(source)
            | Self::ListBtf(source)
            | Self::Map(source)
            | Self::TestRun(source)
            | Self::Info(source)
            | Self::Lookup(source) => source.raw_os_error(),
            Self::NoModule { .. } => None,
        }
    }
}

/// A program to be loaded; the fields are those of `BPF_PROG_LOAD` in include/uapi/linux/bpf.h.
#[derive(Clone, Copy)]
pub(crate) struct ProgLoad<'a> {
    /// The program's name in the kernel, cut to 15 bytes.
    pub name: &'a str,
    /// The program's type.
    pub prog_type: bpf_prog_type,
    /// `BPF_F_…` flags of the load.
    pub prog_flags: u32,
    /// The attach type; required for tracing programs.
    pub expected_attach_type: Option<bpf_attach_type>,
    /// The instructions, relocated.
    pub insns: &'a [bpf_insn],
    /// Licence; `c"GPL"` permits the helpers that tracing needs.
    pub license: &'a CStr,
    /// The traced function, as a type id in vmlinux's BTF or in that of `attach_btf_obj`.
    pub attach_btf_id: u32,
    /// The BTF of the module that the function is in, from [`btf_fd_of_module`]; `None` for
    /// vmlinux.
    pub attach_btf_obj: Option<BorrowedFd<'a>>,
    /// The program's own BTF, loaded.
    pub prog_btf: Option<BorrowedFd<'a>>,
    /// File descriptors that instructions refer to by index (`BPF_PSEUDO_MAP_IDX`).
    pub fd_array: &'a [RawFd],
    /// The kernel's version; looked at for kprobes before Linux 5.0 only.
    pub kern_version: u32,
}

impl ProgLoad<'_> {
    /// Loads the program. If the kernel refuses it, loads it once more with the verifier log on, which is too
    /// expensive for every load.
    pub(crate) fn load(&self) -> Result<OwnedFd, BpfError> {
        let error = match self.attempt(&mut []) {
            Ok(program) => return Ok(program),
            Err(error) => error,
        };
        let mut log = Vec::new();
        // EPERM: the verifier did not run, so a second load would produce no log.
        if error.raw_os_error() != Some(libc::EPERM) {
            log.resize(LOG_BYTES, 0);
            if let Ok(program) = self.attempt(&mut log) {
                return Ok(program);
            }
        }
        let end = log.iter().position(|byte| *byte == 0).unwrap_or(log.len());
        let log = String::from_utf8_lossy(&log[..end]).trim_end().to_owned();
        Err(BpfError::Load {
            program: self.name.to_owned(),
            source: error,
            log,
        })
    }

    fn attempt(&self, log: &mut [u8]) -> io::Result<OwnedFd> {
        let mut attr = zeroed_attr();
        // SAFETY: all variants are plain integers, and this one is what BPF_PROG_LOAD reads.
        let load = unsafe { &mut attr.__bindgen_anon_3 };
        load.prog_type = self.prog_type as u32;
        load.prog_flags = self.prog_flags;
        load.expected_attach_type = self.expected_attach_type.map_or(0, |kind| kind as u32);
        load.insns = self.insns.as_ptr().expose_provenance() as u64;
        load.insn_cnt = u32::try_from(self.insns.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
        load.license = self.license.as_ptr().expose_provenance() as u64;
        load.kern_version = self.kern_version;
        // The last byte stays zero.
        let longest = load.prog_name.len() - 1;
        for (to, from) in load.prog_name[..longest].iter_mut().zip(self.name.bytes()) {
            // The kernel accepts letters, digits, `_` and `.` (bpf_obj_name_cpy).
            let known = from.is_ascii_alphanumeric() || from == b'.';
            *to = std::ffi::c_char::from_ne_bytes([if known { from } else { b'_' }]);
        }
        load.attach_btf_id = self.attach_btf_id;
        load.__bindgen_anon_1.attach_btf_obj_fd = self.attach_btf_obj.map_or(0, raw);
        load.prog_btf_fd = self.prog_btf.map_or(0, raw);
        if !self.fd_array.is_empty() {
            load.fd_array = self.fd_array.as_ptr().expose_provenance() as u64;
        }
        if !log.is_empty() {
            load.log_level = 1;
            load.log_buf = log.as_mut_ptr().expose_provenance() as u64;
            load.log_size = u32::try_from(log.len()).unwrap_or(u32::MAX);
        }
        let mut tries = 0;
        loop {
            tries += 1;
            // SAFETY: the addresses and lengths are those of slices that outlive the call; the log alone is written to.
            match unsafe { call_fd(bpf_cmd::BPF_PROG_LOAD, &mut attr) } {
                // The verifier returns EAGAIN when a signal is pending.
                Err(error) if error.raw_os_error() == Some(libc::EAGAIN) && tries < INTERRUPTED_LOADS => {}
                result => return result,
            }
        }
    }
}

/// Attaches a loaded fentry or fexit program to the function it was loaded for. It stays attached
/// until the link is dropped.
pub(crate) fn raw_tracepoint_open(program: BorrowedFd<'_>) -> Result<OwnedFd, BpfError> {
    let mut attr = zeroed_attr();
    attr.raw_tracepoint.prog_fd = raw(program);
    // SAFETY: the struct holds no address, and the call returns a link descriptor.
    unsafe { call_fd(bpf_cmd::BPF_RAW_TRACEPOINT_OPEN, &mut attr) }.map_err(BpfError::Attach)
}

/// Test-runs a loaded program `repeat` times with `data` as its packet, and returns the kernel's measured
/// average of nanoseconds per run. For a tracing program both are ignored: the kernel calls its test
/// functions instead (`bpf_fentry_test1` and others, net/bpf/test_run.c).
pub(crate) fn prog_test_run(program: BorrowedFd<'_>, data: &[u8], repeat: u32) -> Result<u32, BpfError> {
    let mut attr = zeroed_attr();
    // SAFETY: all variants are plain integers, and this one is what BPF_PROG_TEST_RUN reads.
    let test = unsafe { &mut attr.test };
    test.prog_fd = raw(program);
    test.repeat = repeat;
    if !data.is_empty() {
        test.data_in = data.as_ptr().expose_provenance() as u64;
        test.data_size_in = u32::try_from(data.len()).unwrap_or(u32::MAX);
    }
    // SAFETY: the only address is that of `data`, which is read.
    unsafe { call(bpf_cmd::BPF_PROG_TEST_RUN, &mut attr) }.map_err(BpfError::TestRun)?;
    // SAFETY: the kernel has written the variant that this command uses.
    Ok(unsafe { attr.test.duration })
}

/// Opens the BTF of a loaded module, or of `vmlinux`.
///
/// There is no lookup by name, so this walks all BTF objects; programs have BTF objects too, under any name.
pub(crate) fn btf_fd_of_module(module: &str) -> Result<OwnedFd, BpfError> {
    let mut id = 0;
    loop {
        let mut attr = zeroed_attr();
        attr.__bindgen_anon_6.__bindgen_anon_1.start_id = id;
        // SAFETY: the struct holds no address.
        match unsafe { call(bpf_cmd::BPF_BTF_GET_NEXT_ID, &mut attr) } {
            Ok(_) => {}
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => {
                return Err(BpfError::NoModule {
                    module: module.to_owned(),
                });
            }
            Err(error) => return Err(BpfError::ListBtf(error)),
        }
        // SAFETY: the kernel has written the variant that this command uses.
        id = unsafe { attr.__bindgen_anon_6.next_id };

        let mut attr = zeroed_attr();
        attr.__bindgen_anon_6.__bindgen_anon_1.btf_id = id;
        // SAFETY: the struct holds no address, and the call returns a descriptor.
        let fd = match unsafe { call_fd(bpf_cmd::BPF_BTF_GET_FD_BY_ID, &mut attr) } {
            Ok(fd) => fd,
            // Freed since it was listed.
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => continue,
            Err(error) => return Err(BpfError::ListBtf(error)),
        };
        let mut name = [0_u8; 64];
        // SAFETY: the struct is plain integers.
        let mut info: bpf_btf_info = unsafe { std::mem::zeroed() };
        info.name = name.as_mut_ptr().expose_provenance() as u64;
        info.name_len = name.len() as u32;
        // SAFETY: the struct is BTF's, and its one address is that of `name`.
        unsafe { object_info(&fd, &mut info) }.map_err(BpfError::ListBtf)?;
        let named = CStr::from_bytes_until_nul(&name).is_ok_and(|name| name.to_bytes() == module.as_bytes());
        if info.kernel_btf == 1 && named {
            return Ok(fd);
        }
    }
}

/// All of a kernel object's BTF, in one copy. `object` as for [`btf_fd_of_module`], or `vmlinux`.
pub(crate) fn kernel_btf(object: &str) -> Result<Vec<u8>, BpfError> {
    let fd = btf_fd_of_module(object)?;
    // SAFETY: the struct is plain integers.
    let mut info: bpf_btf_info = unsafe { std::mem::zeroed() };
    // SAFETY: the struct is BTF's, without an address.
    unsafe { object_info(&fd, &mut info) }.map_err(BpfError::ListBtf)?;
    let mut bytes = vec![0; info.btf_size as usize];
    // SAFETY: as above.
    info = unsafe { std::mem::zeroed() };
    info.btf = bytes.as_mut_ptr().expose_provenance() as u64;
    info.btf_size = bytes.len() as u32;
    // SAFETY: the struct is BTF's, and its one address is that of `bytes`.
    unsafe { object_info(&fd, &mut info) }.map_err(BpfError::ListBtf)?;
    Ok(bytes)
}

/// Kernel counters of a loaded program. The run counters do not change unless `kernel.bpf_stats_enabled` is
/// on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ProgInfo {
    /// The program id.
    pub id: u32,
    /// Number of runs.
    pub run_cnt: u64,
    /// Total run time.
    pub run_time_ns: u64,
    /// Number of runs skipped because the program was already running on that CPU.
    pub recursion_misses: u64,
    /// Instructions that the verifier walked.
    pub verified_insns: u32,
    /// Bytes of machine code.
    pub jited_prog_len: u32,
}

/// Reads a program's counters. A counter that this kernel lacks stays 0.
pub(crate) fn prog_info(program: impl AsFd) -> Result<ProgInfo, BpfError> {
    // SAFETY: the struct is plain integers.
    let mut info: bpf_prog_info = unsafe { std::mem::zeroed() };
    // SAFETY: the struct is a program's, without an address; for another object the kernel fills in at most
    // its size.
    unsafe { object_info(program, &mut info) }.map_err(BpfError::Info)?;
    let bpf_prog_info {
        id,
        run_cnt,
        run_time_ns,
        recursion_misses,
        verified_insns,
        jited_prog_len,
        ..
    } = info;
    Ok(ProgInfo {
        id,
        run_cnt,
        run_time_ns,
        recursion_misses,
        verified_insns,
        jited_prog_len,
    })
}

/// Calls `BPF_OBJ_GET_INFO_BY_FD` with the struct for the object's type.
///
/// # Safety
///
/// `T` is the kernel's struct of plain integers for the object that `fd` refers to. Every address in it is
/// zero or points to memory that the kernel may write to, of the length in the field next to it.
pub(super) unsafe fn object_info<T>(fd: impl AsFd, info: &mut T) -> io::Result<()> {
    let mut attr = zeroed_attr();
    attr.info.bpf_fd = raw(fd.as_fd());
    attr.info.info_len = size_of::<T>() as u32;
    attr.info.info = std::ptr::from_mut(info).expose_provenance() as u64;
    // SAFETY: the address and the size are those of `info`; the caller guarantees its contents.
    unsafe { call(bpf_cmd::BPF_OBJ_GET_INFO_BY_FD, &mut attr) }.map(drop)
}

fn raw(fd: BorrowedFd<'_>) -> u32 {
    fd.as_raw_fd().cast_unsigned()
}

/// Returns an all-zero struct, padding included: the kernel refuses nonzero bytes that it does not know
/// (`bpf_check_uarg_tail_zero` in kernel/bpf/syscall.c).
pub(super) fn zeroed_attr() -> bpf_attr {
    // SAFETY: all variants are plain integers.
    unsafe { std::mem::zeroed() }
}

/// Calls bpf(2).
///
/// # Safety
///
/// `attr` has the variant that the command reads. Every address in it is zero or points to memory that
/// outlives the call, of the length in the field next to it; the memory is writable if the command writes to
/// it.
pub(super) unsafe fn call(command: bpf_cmd, attr: &mut bpf_attr) -> io::Result<c_long> {
    // SAFETY: the pointer and size describe `attr`; the caller guarantees the addresses in it.
    let result = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            command as c_long,
            std::ptr::from_mut(attr),
            size_of::<bpf_attr>(),
        )
    };
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}

/// Like [`call`], for a command that returns a new descriptor.
///
/// # Safety
///
/// As for [`call`], and the command returns a descriptor.
pub(super) unsafe fn call_fd(command: bpf_cmd, attr: &mut bpf_attr) -> io::Result<OwnedFd> {
    // SAFETY: the caller guarantees `attr`.
    let fd = unsafe { call(command, attr) }?;
    let fd = RawFd::try_from(fd).map_err(|_| io::ErrorKind::InvalidData)?;
    // SAFETY: the descriptor is new, and nothing else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// The cause of E2BIG if the log lacks it: before Linux 6.4 a log that does not fit loses its end.
fn over_limit(error: &io::Error, log: &str) -> &'static str {
    if error.raw_os_error() == Some(libc::E2BIG) && !log.contains("too large") {
        "; the verifier reached its limit of 1000000 instructions"
    } else {
        ""
    }
}

/// The verifier's last three lines, which contain the cause, above its statistics.
pub(crate) fn log_summary(log: &str) -> String {
    const STATISTICS: [&str; 3] = ["processed ", "verification time ", "stack depth "];
    let mut lines: Vec<&str> = log
        .lines()
        .filter(|line| !STATISTICS.iter().any(|statistic| line.starts_with(statistic)))
        .collect();
    let lines = lines.split_off(lines.len().saturating_sub(3));
    if lines.is_empty() {
        String::new()
    } else {
        format!("; verifier log: {}", lines.join(" / "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_include_the_end_of_the_verifier_log() {
        let load = |log: &str| BpfError::Load {
            program: "confirm".to_owned(),
            source: io::Error::from_raw_os_error(libc::EACCES),
            log: log.to_owned(),
        };
        let log = "0: R1=ctx()\n1: r0 = 0\n2: bad\nR1 type=scalar expected=ptr_\nprocessed 2 insns\n";
        assert_eq!(
            load(log).to_string(),
            "the kernel refuses the program confirm: Permission denied (os error 13); \
             verifier log: 1: r0 = 0 / 2: bad / R1 type=scalar expected=ptr_"
        );
        assert_eq!(
            load("").to_string(),
            "the kernel refuses the program confirm: Permission denied (os error 13)"
        );
    }

    #[test]
    fn exceeded_verifier_limit_is_reported() {
        let load = |log: &str| BpfError::Load {
            program: "nat_fexit".to_owned(),
            source: io::Error::from_raw_os_error(libc::E2BIG),
            log: log.to_owned(),
        };
        let kept = "100: (95) exit\nBPF program is too large. Processed 1000001 insn\n\
                    processed 1000001 insns (limit 1000000) max_states_per_insn 4 total_states 9\n";
        let message = load(kept).to_string();
        assert!(
            message.ends_with("100: (95) exit / BPF program is too large. Processed 1000001 insn"),
            "{message}"
        );
        // Only the first lines, as an older kernel keeps them.
        let message = load("0: R1=ctx()\n").to_string();
        assert!(
            message.contains("; the verifier reached its limit of 1000000 instructions"),
            "{message}"
        );
    }

    #[test]
    fn a_refused_call_names_its_errno() {
        // Not a program: refused with EBADF or EINVAL, or with EPERM without privileges.
        let file = OwnedFd::from(std::fs::File::open("/dev/null").unwrap());
        assert!(prog_info(&file).unwrap_err().errno().is_some());
        assert!(btf_fd_of_module("no such module").is_err());
    }
}
