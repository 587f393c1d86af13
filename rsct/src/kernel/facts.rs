//! What the running kernel offers tracing, as its own files say.
//!
//! Files in `/proc` and `/sys` may be unmounted or unreadable: then the answer is that nothing is
//! known, never a guess.

use std::ffi::CStr;
use std::fs;
use std::path::Path;

/// The kernel's release, as `uname -r` has it; empty if even that is refused.
pub fn release() -> String {
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

/// Whether the kernel shows the types of `vmlinux`.
pub fn has_btf() -> bool {
    Path::new("/sys/kernel/btf/vmlinux").exists()
}

/// Whether programs can be attached to kprobes: the perf source that does it is registered only
/// with CONFIG_KPROBE_EVENTS (`perf_tp_register` in kernel/events/core.c). `None` without sysfs.
pub fn has_kprobes() -> Option<bool> {
    let sources = Path::new("/sys/bus/event_source/devices");
    sources.exists().then(|| sources.join("kprobe").exists())
}

/// `kernel.perf_event_paranoid`: Debian's 3 and 4 refuse `perf_event_open` without CAP_SYS_ADMIN.
pub fn perf_event_paranoid() -> Option<i32> {
    let setting = fs::read_to_string("/proc/sys/kernel/perf_event_paranoid").ok()?;
    setting.trim().parse().ok()
}

/// Whether programs are compiled; else they are interpreted, and each packet costs more. `None`
/// where only root may look, or where it cannot be switched.
pub fn has_jit() -> Option<bool> {
    let setting = fs::read_to_string("/proc/sys/net/core/bpf_jit_enable").ok()?;
    Some(setting.trim() != "0")
}

/// How much the kernel keeps even root from (kernel_lockdown(7)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lockdown {
    /// Nothing.
    None,
    /// Changing the kernel; tracing is still allowed.
    Integrity,
    /// Reading the kernel too: kprobes and the helpers that read kernel memory are refused
    /// (LOCKDOWN_KPROBES, LOCKDOWN_BPF_READ_KERNEL).
    Confidentiality,
}

/// What [`Lockdown::Confidentiality`] means for tracing.
pub const LOCKED_DOWN: &str = "this kernel is locked down, which keeps programs from reading its memory: boot it without \
                               lockdown=confidentiality";

/// The mode in force. `None` where the kernel has no lockdown or securityfs is not mounted.
pub fn lockdown() -> Option<Lockdown> {
    parse_lockdown(&fs::read_to_string("/sys/kernel/security/lockdown").ok()?)
}

/// All modes stand in one line, the one in force in brackets.
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
