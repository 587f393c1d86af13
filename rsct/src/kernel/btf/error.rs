//! Errors of looking up a name in the kernel's BTF.

use std::io;
use std::path::PathBuf;

/// The kernel's BTF could not be read, or lacks the requested item.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BtfError {
    /// The kernel exposes no BTF at all.
    #[error(
        "this kernel has no BTF at {}: use a kernel built with CONFIG_DEBUG_INFO_BTF, and mount sysfs",
        path.display()
    )]
    Absent {
        /// Path where it is expected.
        path: PathBuf,
    },
    /// The BTF of modules is not visible.
    #[error(
        "cannot read the BTF of conntrack's modules: /sys is not mounted; run `mount -t sysfs sysfs /sys`"
    )]
    NoSysfs,
    /// The module is loaded, but its BTF is not exposed.
    #[error(
        "this kernel has no BTF for the module nf_conntrack: use Linux 5.11 or later, built with \
         CONFIG_DEBUG_INFO_BTF_MODULES"
    )]
    NoModuleTypes,
    /// A BTF file could not be read.
    #[error("cannot read the kernel's BTF in {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The kernel's error.
        source: io::Error,
    },
    /// The bytes are not BTF, are truncated, or use a format newer than this reader.
    #[error("cannot parse the BTF of {object}: {what}; rsct may be older than this kernel's format")]
    Malformed {
        /// `vmlinux` or a module.
        object: String,
        /// The problem, and where it is.
        what: String,
    },
    /// No object has a type of that name.
    #[error("this kernel has no type `{name}`; is nf_conntrack loaded?")]
    NoType {
        /// The requested name.
        name: String,
    },
    /// The type exists but has no such field.
    #[error("this kernel's `{container}` has no field `{path}` (`{part}` does not exist)")]
    NoField {
        /// The struct or union.
        container: String,
        /// The whole requested path.
        path: String,
        /// The part of it that was not found.
        part: String,
    },
    /// A path that is not of the form `a.b[2].c`.
    #[error("`{path}` is not a path to a field; write it as `proto.tcp.state` or `tuplehash[1].tuple`")]
    BadPath {
        /// The path as passed in.
        path: String,
    },
    /// No enum has the value.
    #[error("this kernel has no value `{variant}`{}", in_enum(container))]
    NoVariant {
        /// The enum, if one was named.
        container: Option<String>,
        /// The value's name.
        variant: String,
    },
    /// An object has several, different descriptions of the same type.
    ///
    /// Happens when BTF deduplication failed in the kernel's build. Picking the wrong copy would read
    /// garbage.
    #[error("the BTF of {object} has {copies} different descriptions of `{name}`, so rsct cannot use it")]
    Disagree {
        /// `vmlinux` or a module.
        object: String,
        /// The requested name.
        name: String,
        /// Number of descriptions.
        copies: usize,
    },
}

fn in_enum(container: &Option<String>) -> String {
    container
        .as_ref()
        .map(|name| format!(" in `enum {name}`"))
        .unwrap_or_default()
}
