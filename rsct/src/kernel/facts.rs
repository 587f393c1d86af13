//! Features of the running kernel that tracing needs, from the kernel's own files.
//!
//! Files in `/proc` and `/sys` may be missing or unreadable: the result is then unknown, never a guess.

use std::ffi::CStr;
use std::fs;
use std::path::Path;

/// The kernel's release, as `uname -r` prints it; empty if uname(2) fails.
pub(crate) fn release() -> String {
    // SAFETY: the struct is plain bytes, and the pointer is to it.
    let name = unsafe {
        let mut name: libc::utsname = std::mem::zeroed();
        if libc::uname(&raw mut name) != 0 {
            return String::new();
        }
        name
    };
    // SAFETY: uname ends its strings with a zero byte, and the array was all zero before.
    unsafe { CStr::from_ptr(name.release.as_ptr()) }
        .to_string_lossy()
        .into_owned()
}

/// Returns whether programs can attach to kprobes: the kernel registers the perf source for it only with
/// CONFIG_KPROBE_EVENTS (`perf_tp_register` in kernel/events/core.c). `None` without sysfs.
pub(crate) fn has_kprobes() -> Option<bool> {
    let sources = Path::new("/sys/bus/event_source/devices");
    sources.exists().then(|| sources.join("kprobe").exists())
}

/// `kernel.perf_event_paranoid`: Debian's 3 and 4 refuse `perf_event_open` without CAP_SYS_ADMIN.
pub(crate) fn perf_event_paranoid() -> Option<i32> {
    let setting = fs::read_to_string("/proc/sys/kernel/perf_event_paranoid").ok()?;
    setting.trim().parse().ok()
}

/// Returns whether eBPF programs are compiled; interpreted ones cost more per packet. `None` if only root may
/// read the setting, or if the kernel does not have it.
pub(crate) fn has_jit() -> Option<bool> {
    let setting = fs::read_to_string("/proc/sys/net/core/bpf_jit_enable").ok()?;
    Some(setting.trim() != "0")
}

/// The lockdown mode (kernel_lockdown(7)), which restricts even root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lockdown {
    /// No restriction.
    None,
    /// Forbids modification of the kernel; tracing is still allowed.
    Integrity,
    /// Also forbids reading kernel memory: kprobes and the helpers that read it are refused
    /// (LOCKDOWN_KPROBES, LOCKDOWN_BPF_READ_KERNEL).
    Confidentiality,
}

/// The effect of [`Lockdown::Confidentiality`] on tracing.
pub(crate) const LOCKED_DOWN: &str = "kernel lockdown forbids BPF programs to read kernel memory: boot without \
     lockdown=confidentiality";

/// The active mode. `None` if the kernel has no lockdown or securityfs is not mounted.
pub(crate) fn lockdown() -> Option<Lockdown> {
    parse_lockdown(&fs::read_to_string("/sys/kernel/security/lockdown").ok()?)
}

/// The file lists all modes on one line, with the active one in brackets.
fn parse_lockdown(modes: &str) -> Option<Lockdown> {
    let (_, rest) = modes.split_once('[')?;
    match rest.split_once(']')?.0 {
        "none" => Some(Lockdown::None),
        "integrity" => Some(Lockdown::Integrity),
        "confidentiality" => Some(Lockdown::Confidentiality),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_release_is_the_kernels() {
        let shown = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
        assert_eq!(release(), shown.trim());
    }

    #[test]
    fn the_bracketed_mode_is_in_force() {
        assert_eq!(
            parse_lockdown("[none] integrity confidentiality\n"),
            Some(Lockdown::None)
        );
        assert_eq!(
            parse_lockdown("none [integrity] confidentiality\n"),
            Some(Lockdown::Integrity)
        );
        assert_eq!(
            parse_lockdown("none integrity [confidentiality]\n"),
            Some(Lockdown::Confidentiality)
        );
        assert_eq!(parse_lockdown("none integrity\n"), None);
    }
}
