//! What can go wrong between a name and its place in the kernel's types.

use std::io;
use std::path::PathBuf;

/// Why the kernel's type information could not be read, or does not hold what was asked of it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BtfError {
    /// The kernel shows no type information at all.
    #[error(
        "this kernel shows no type information at {}: it needs to be built with CONFIG_DEBUG_INFO_BTF, \
         and sysfs to be mounted",
        path.display()
    )]
    Absent {
        /// Where it would be.
        path: PathBuf,
    },
    /// The types of modules cannot be seen.
    #[error(
        "/sys is not mounted, so the types of conntrack's modules cannot be read: `mount -t sysfs sysfs /sys`"
    )]
    NoSysfs,
    /// The module is loaded, and its types are not shown.
    #[error(
        "the kernel shows no types of the module nf_conntrack: it needs Linux 5.11 or later, built with \
         CONFIG_DEBUG_INFO_BTF_MODULES"
    )]
    NoModuleTypes,
    /// A file of type information could not be read.
    #[error("cannot read the kernel's type information in {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the kernel answered.
        source: io::Error,
    },
    /// The bytes are not BTF, or end too early, or are newer than this reader.
    #[error(
        "the type information of {object} cannot be read: {what}; rsct may be older than this kernel's format"
    )]
    Malformed {
        /// `vmlinux` or a module.
        object: String,
        /// What is wrong with it, and where.
        what: String,
    },
    /// No type of that name in any object.
    #[error("this kernel has no type `{name}`; is nf_conntrack loaded?")]
    NoType {
        /// The name asked for.
        name: String,
    },
    /// The type exists but has no such field.
    #[error("this kernel's `{container}` has no field `{path}` (nothing called `{part}`)")]
    NoField {
        /// Struct or union asked.
        container: String,
        /// The whole path asked for.
        path: String,
        /// The part of it that was not found.
        part: String,
    },
    /// A path that is not of the form `a.b[2].c`.
    #[error("`{path}` is no path to a field; write it as `proto.tcp.state` or `tuplehash[1].tuple`")]
    BadPath {
        /// The path as given.
        path: String,
    },
    /// No enum has the value.
    #[error("this kernel has no value `{variant}`{}", in_enum(container))]
    NoVariant {
        /// The enum asked, where one was named.
        container: Option<String>,
        /// The value's name.
        variant: String,
    },
    /// An object describes the same type several times, and differently.
    ///
    /// Happens where BTF deduplication failed at the kernel's build; guessing which copy is right
    /// would read garbage.
    #[error("{object} describes `{asked}` {copies} times and the descriptions differ; refusing to guess")]
    Disagree {
        /// `vmlinux` or a module.
        object: String,
        /// What was asked for.
        asked: String,
        /// How many descriptions there are.
        copies: usize,
    },
}

fn in_enum(container: &Option<String>) -> String {
    container
        .as_ref()
        .map(|name| format!(" in `enum {name}`"))
        .unwrap_or_default()
}
