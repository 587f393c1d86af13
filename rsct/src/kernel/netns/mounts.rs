//! Mounted network namespaces: `ip netns`, Docker, Podman and others keep namespaces alive with a mount.

use std::{ffi::OsString, os::unix::ffi::OsStringExt as _, path::PathBuf};

/// A namespace's mount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mount {
    pub(super) inode: u64,
    pub(super) path: PathBuf,
}

/// Parses the network namespaces in a mountinfo file (Documentation/filesystems/proc.rst, section 3.5).
pub(super) fn of(mountinfo: &[u8]) -> impl Iterator<Item = Mount> + '_ {
    mountinfo.split(|byte| *byte == b'\n').filter_map(mount)
}

/// Parses one line: id, parent, device, root, mount point, options; the file system's type follows a lone
/// `-`.
fn mount(line: &[u8]) -> Option<Mount> {
    let mut fields = line.split(|byte| *byte == b' ');
    let root = std::str::from_utf8(fields.nth(3)?).ok()?;
    let inode = inode_in(root)?;
    let path = unescaped(fields.next()?);
    Some(Mount { inode, path })
}

/// The inode number in `net:[4026531840]`, the format of mounts and links to a namespace.
pub(super) fn inode_in(link: &str) -> Option<u64> {
    link.strip_prefix("net:[")?.strip_suffix(']')?.parse().ok()
}

/// Decodes octal escapes: spaces, tabs, line ends and backslashes appear as `\040` and so on.
fn unescaped(field: &[u8]) -> PathBuf {
    let mut path = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((&byte, after)) = rest.split_first() {
        let octal = (byte == b'\\')
            .then(|| std::str::from_utf8(after.get(..3)?).ok())
            .flatten();
        match octal.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(decoded) => {
                path.push(decoded);
                rest = &after[3..];
            }
            None => {
                path.push(byte);
                rest = after;
            }
        }
    }
    OsString::from_vec(path).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mounts_of_network_namespaces_are_found_among_others() {
        let text = b"\
22 27 0:20 / /sys rw,nosuid - sysfs sysfs rw
66 65 0:4 net:[4026532178] /run/docker/netns/ingress_sbox rw - nsfs nsfs rw
67 65 0:4 mnt:[4026532179] /run/snapd/ns/lxd.mnt rw - nsfs nsfs rw
68 65 0:4 net:[4026532180] /run/netns/a\\040b\\134c rw shared:1 - nsfs nsfs rw
69 65 0:4 net:[4026532181]
\xff
";
        let found: Vec<Mount> = of(text).collect();
        let mount = |inode, path: &str| Mount {
            inode,
            path: path.into(),
        };
        assert_eq!(
            found,
            [
                mount(4_026_532_178, "/run/docker/netns/ingress_sbox"),
                mount(4_026_532_180, "/run/netns/a b\\c"),
            ]
        );
    }
}
