//! The four bpf(2) calls that aya does not make for us; see [`super::tracing`].

use std::{
    io, mem,
    os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd},
};

use aya_obj::generated::{
    bpf_attach_type, bpf_attr, bpf_btf_info, bpf_cmd, bpf_insn, bpf_prog_info, bpf_prog_type,
};

/// Where a tracing program runs.
#[derive(Clone, Copy, Debug)]
pub enum TraceAt {
    /// fentry.
    Entry,
    /// fexit.
    Exit,
}

/// Why a program was not loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The kernel has no such thing, or does not allow it.
    #[error("{0}")]
    Refused(io::Error),
    /// The verifier found fault with it.
    #[error("{error}; the verifier says: {verdict}")]
    Verifier {
        /// What the call returned.
        error: io::Error,
        /// The end of its log.
        verdict: String,
    },
}

/// Bytes of the verifier's log that are asked for, once a program is refused.
const LOG_BYTES: usize = 1 << 20;
/// Lines of it that a person wants to see.
const LOG_LINES: usize = 4;

/// Loads an fentry or fexit program for the function with BTF id `function`, of `module` or vmlinux.
pub fn load_tracing(
    name: &str,
    at: TraceAt,
    instructions: &[bpf_insn],
    function: u32,
    module: Option<BorrowedFd<'_>>,
) -> Result<OwnedFd, LoadError> {
    let mut attr = zeroed();
    // SAFETY: all of the union's variants are plain numbers, zeroed above.
    let load = unsafe { &mut attr.__bindgen_anon_3 };
    load.prog_type = bpf_prog_type::BPF_PROG_TYPE_TRACING as u32;
    load.expected_attach_type = match at {
        TraceAt::Entry => bpf_attach_type::BPF_TRACE_FENTRY,
        TraceAt::Exit => bpf_attach_type::BPF_TRACE_FEXIT,
    } as u32;
    load.insn_cnt = instructions.len() as u32;
    load.insns = instructions.as_ptr() as u64;
    load.license = c"Dual MIT/GPL".as_ptr() as u64;
    load.attach_btf_id = function;
    if let Some(module) = module {
        load.__bindgen_anon_1.attach_btf_obj_fd = module.as_raw_fd() as u32;
    }
    // The last byte stays zero.
    for (to, from) in load.prog_name[..15].iter_mut().zip(name.bytes()) {
        *to = from as _;
    }
    match fd(bpf_cmd::BPF_PROG_LOAD, &mut attr) {
        Ok(program) => Ok(program),
        Err(error) => Err(explain(error, attr)),
    }
}

/// Loads once more with the log on, for its last words.
fn explain(error: io::Error, mut attr: bpf_attr) -> LoadError {
    let mut log = vec![0u8; LOG_BYTES];
    // SAFETY: as in `load_tracing`.
    let load = unsafe { &mut attr.__bindgen_anon_3 };
    load.log_level = 1;
    load.log_size = log.len() as u32;
    load.log_buf = log.as_mut_ptr() as u64;
    if fd(bpf_cmd::BPF_PROG_LOAD, &mut attr).is_ok() {
        return LoadError::Refused(error);
    }
    let end = log.iter().position(|byte| *byte == 0).unwrap_or(log.len());
    let text = String::from_utf8_lossy(&log[..end]);
    if std::env::var_os("RSCT_VERIFIER_LOG").is_some() {
        eprintln!("{text}");
    }
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| !line.starts_with("processed ") && !line.trim().is_empty())
        .collect();
    if lines.is_empty() {
        return LoadError::Refused(error);
    }
    let verdict = lines[lines.len().saturating_sub(LOG_LINES)..].join(" | ");
    LoadError::Verifier { error, verdict }
}

/// Attaches an fentry or fexit program to the function it was loaded for.
pub fn attach_tracing(program: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    let mut attr = zeroed();
    attr.raw_tracepoint.prog_fd = program.as_raw_fd() as u32;
    fd(bpf_cmd::BPF_RAW_TRACEPOINT_OPEN, &mut attr)
}

/// How often the kernel did not run a program because it was running already on that CPU.
pub fn recursion_misses(program: BorrowedFd<'_>) -> io::Result<u64> {
    // SAFETY: plain numbers.
    let mut info: bpf_prog_info = unsafe { mem::zeroed() };
    get_info(program, &mut info)?;
    Ok(info.recursion_misses)
}

/// The BTF of a module, as programs for its functions have to name it.
pub fn module_btf(name: &str) -> io::Result<OwnedFd> {
    let mut id = 0;
    loop {
        let mut attr = zeroed();
        attr.__bindgen_anon_6.__bindgen_anon_1.start_id = id;
        call(bpf_cmd::BPF_BTF_GET_NEXT_ID, &mut attr)?;
        // SAFETY: the kernel has just written it.
        id = unsafe { attr.__bindgen_anon_6.next_id };
        let mut attr = zeroed();
        attr.__bindgen_anon_6.__bindgen_anon_1.btf_id = id;
        // One that went away in between is not the one.
        let Ok(btf) = fd(bpf_cmd::BPF_BTF_GET_FD_BY_ID, &mut attr) else {
            continue;
        };
        let mut found = [0u8; 64];
        // SAFETY: plain numbers.
        let mut info: bpf_btf_info = unsafe { mem::zeroed() };
        info.name = found.as_mut_ptr() as u64;
        info.name_len = found.len() as u32;
        get_info(std::os::fd::AsFd::as_fd(&btf), &mut info)?;
        let length = found.iter().position(|byte| *byte == 0).unwrap_or(found.len());
        if info.kernel_btf == 1 && &found[..length] == name.as_bytes() {
            return Ok(btf);
        }
    }
}

fn get_info<T>(object: BorrowedFd<'_>, info: &mut T) -> io::Result<()> {
    let mut attr = zeroed();
    attr.info.bpf_fd = object.as_raw_fd() as u32;
    attr.info.info_len = size_of::<T>() as u32;
    attr.info.info = std::ptr::from_mut(info) as u64;
    call(bpf_cmd::BPF_OBJ_GET_INFO_BY_FD, &mut attr).map(drop)
}

fn zeroed() -> bpf_attr {
    // SAFETY: a union of structs of plain numbers.
    unsafe { mem::zeroed() }
}

fn fd(command: bpf_cmd, attr: &mut bpf_attr) -> io::Result<OwnedFd> {
    let fd = call(command, attr)?;
    // SAFETY: the kernel has just opened it for us.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

fn call(command: bpf_cmd, attr: &mut bpf_attr) -> io::Result<i64> {
    // SAFETY: the kernel reads and writes within the size it is told.
    let result = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            command as u32,
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
