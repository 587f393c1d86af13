//! The kernels that rsct is tested on, and how to find each in Debian's archive.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};

use crate::{apt::Apt, exec, exec::Usage, image::Image, lock, paths, progress};

/// One row of the matrix.
pub struct Kernel {
    /// The name in commands and messages.
    pub name: &'static str,
    /// The series, of which the newest package is used.
    series: &'static str,
    /// The suites that have it.
    suites: &'static [&'static str],
    /// True if the guest tests also run with kprobes on it.
    kprobe: bool,
}

const BOOKWORM: &[&str] = &["bookworm", "bookworm-security"];
const BOOKWORM_BACKPORTS: &[&str] = &["bookworm-backports"];
const TRIXIE: &[&str] = &["trixie", "trixie-security"];
const TRIXIE_BACKPORTS: &[&str] = &["trixie-backports"];

/// A new kernel is one line here, oldest first: the last one is the default.
pub const MATRIX: &[Kernel] = &[
    Kernel {
        name: "6.1",
        series: "6.1",
        suites: BOOKWORM,
        kprobe: true,
    },
    // The same series as below but with other signatures, which 6.12.113 changed.
    Kernel {
        name: "6.12-backports",
        series: "6.12",
        suites: BOOKWORM_BACKPORTS,
        kprobe: false,
    },
    Kernel {
        name: "6.12",
        series: "6.12",
        suites: TRIXIE,
        kprobe: false,
    },
    Kernel {
        name: "6.18",
        series: "6.18",
        suites: TRIXIE_BACKPORTS,
        kprobe: false,
    },
    Kernel {
        name: "7.3",
        series: "7.3",
        suites: TRIXIE_BACKPORTS,
        kprobe: true,
    },
];

/// The names of the matrix, for messages.
pub fn names() -> String {
    let names: Vec<&str> = MATRIX.iter().map(|kernel| kernel.name).collect();
    names.join(", ")
}

/// The default kernel.
pub fn newest() -> &'static str {
    MATRIX.last().map_or("host", |kernel| kernel.name)
}

/// The oldest kernel.
pub fn oldest() -> &'static str {
    MATRIX.first().map_or("host", |kernel| kernel.name)
}

/// The row called `name`.
pub fn by_name(name: &str) -> Option<&'static Kernel> {
    MATRIX.iter().find(|kernel| kernel.name == name)
}

/// The forms in which rsct attaches in this kernel's guest tests; all scenarios run in the first one.
pub fn forms(name: &str) -> &'static [&'static str] {
    if by_name(name).is_none_or(|kernel| kernel.kprobe) {
        &["fentry", "kprobe"]
    } else {
        &["fentry"]
    }
}

/// Rejects a name that [`find`] cannot know, before anything is built or fetched.
pub fn check(name: &str) -> Result<()> {
    if by_name(name).is_none() && name != "host" && !name.contains('/') {
        let known = names();
        return Err(Usage(format!(
            "unknown kernel {name}: use {known}, host, or the path of a vmlinuz"
        ))
        .into());
    }
    Ok(())
}

/// The kernel that `--kernel` names: a row of the matrix, `host`, or the path of a vmlinuz.
pub fn find(name: &str) -> Result<Image> {
    if let Some(kernel) = by_name(name) {
        return kernel.image(false);
    }
    if name == "host" {
        let release =
            fs::read_to_string("/proc/sys/kernel/osrelease").context("read the running kernel's release")?;
        let file = PathBuf::from("/boot").join(format!("vmlinuz-{}", release.trim()));
        return Image::open(&file).context("use the running kernel (--kernel host requires it under /boot)");
    }
    check(name)?;
    Image::open(&PathBuf::from(name))
}

impl Kernel {
    /// The kernel; fetched on first use, or updated to its newest package if `update` is set.
    pub fn image(&self, update: bool) -> Result<Image> {
        let root = paths::guest().join("kernels").join(self.name);
        let unpacked = root.join("unpacked");
        if update || !unpacked.exists() {
            let _lock = lock::take(lock::Kind::Guests)?;
            self.fetch(&root, update)
                .with_context(|| format!("kernel {} is not available", self.name))?;
        }
        let package =
            fs::read_to_string(&unpacked).with_context(|| format!("read {}", unpacked.display()))?;
        let release = release(package.split('=').next().unwrap_or_default());
        let places = ["boot/vmlinuz-RELEASE", "usr/lib/modules/RELEASE/vmlinuz"];
        let file = places
            .iter()
            .map(|place| root.join(place.replace("RELEASE", release)))
            .find(|file| file.exists())
            .with_context(|| format!("{package} has no vmlinuz at a known path"))?;
        Image::open(&file)
    }

    fn fetch(&self, root: &Path, update: bool) -> Result<()> {
        if !update && root.join("unpacked").exists() {
            return Ok(());
        }
        let step = progress::step(format!("looking up kernel {}", self.name));
        let apt = Apt::open(self.suites, update)?;
        let mut newest = self.newest(&apt)?;
        if !update && newest.is_none() {
            // The lists may be older than the series.
            newest = self.newest(&Apt::open(self.suites, true)?)?;
        }
        let package = newest.with_context(|| {
            format!(
                "{} has no linux-image-{}.*-cloud-amd64 any more: the series has left the archive; remove \
                 its row from xtask/src/kernels.rs or change its suites",
                self.suites.join(", "),
                self.series
            )
        })?;
        let packages = parts(&package, |name| apt.show(name))?;
        let found = packages.first().cloned().unwrap_or_default();
        if fs::read_to_string(root.join("unpacked")).is_ok_and(|have| have == found) {
            return Ok(());
        }
        step.relabel(format!("kernel {}: downloading {package}", self.name));
        let fresh = root.with_file_name(format!("{}.new", self.name));
        exec::remove_dir(&fresh)?;
        if let Err(error) = apt.unpack_exactly(&packages, &fresh) {
            if update {
                return Err(error);
            }
            // The archive keeps only a few versions: the lists may name a removed one.
            return self.fetch(root, true);
        }
        fs::write(fresh.join("unpacked"), &found)
            .with_context(|| format!("write {}/unpacked", fresh.display()))?;
        exec::remove_dir(root)?;
        fs::rename(&fresh, root).with_context(|| format!("move {}", fresh.display()))
    }

    fn newest(&self, apt: &Apt) -> Result<Option<String>> {
        let names = apt.names(&format!("linux-image-{}.", self.series))?;
        Ok(newest_of(&names).map(str::to_owned))
    }
}

/// The newest signed cloud kernel among package names of one series.
fn newest_of(names: &[String]) -> Option<&str> {
    names
        .iter()
        .map(String::as_str)
        .filter_map(|name| Some((name, name.strip_suffix("-cloud-amd64")?)))
        .max_by_key(|(_, version)| numbers(version))
        .map(|(name, _)| name)
}

/// The release (`uname -r`) of the kernel in package `name`.
fn release(name: &str) -> &str {
    name.trim_start_matches("linux-image-")
}

/// Every number in `name`, for comparison: 6.12.90+deb12.1 is newer than 6.12.90+deb12, and 6.12.100 than both.
fn numbers(name: &str) -> Vec<u64> {
    name.split(|c: char| !c.is_ascii_digit())
        .filter_map(|digits| digits.parse().ok())
        .collect()
}

/// `package` as apt's name=version, with the packages that its kernel is split into.
///
/// These are the dependencies with exactly its own version; the others (boot tools) are not needed.
fn parts(package: &str, show: impl Fn(&str) -> Result<String>) -> Result<Vec<String>> {
    let mut names = vec![package.to_owned()];
    let mut parts = Vec::new();
    while let Some(name) = names.get(parts.len()).cloned() {
        let fields = show(&name)?;
        let field = |key: &str| fields.lines().find_map(|line| line.strip_prefix(key));
        let Some(version) = field("Version: ") else {
            // Debian's 6.18 depends on a part that is missing in the archive. A vmlinuz or modules that are really
            // missing are noticed when the kernel is opened.
            names.retain(|other| *other != name);
            continue;
        };
        let same = format!(" (= {version})");
        for depends in [field("Depends: "), field("Pre-Depends: ")].into_iter().flatten() {
            for needed in depends.split(", ").filter_map(|one| one.strip_suffix(&same)) {
                if !names.iter().any(|have| have == needed) {
                    names.push(needed.to_owned());
                }
            }
        }
        parts.push(format!("{name}={version}"));
    }
    if parts.is_empty() {
        bail!("apt shows no version of {package}");
    }
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn newest(names: &[&str]) -> Option<String> {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        newest_of(&names).map(str::to_owned)
    }

    #[test]
    fn the_newest_is_picked_by_number() {
        let names = [
            "linux-image-6.12.95+deb13-cloud-amd64",
            "linux-image-6.12.117+deb13-cloud-amd64",
            "linux-image-6.12.117+deb13-cloud-amd64-dbg",
            "linux-image-6.12.118+deb13-cloud-amd64-unsigned",
            "linux-image-6.12.119+deb13-amd64",
        ];
        assert_eq!(
            newest(&names).as_deref(),
            Some("linux-image-6.12.117+deb13-cloud-amd64")
        );
        let names = [
            "linux-image-6.1.0-9-cloud-amd64",
            "linux-image-6.1.0-56-cloud-amd64",
        ];
        assert_eq!(
            newest(&names).as_deref(),
            Some("linux-image-6.1.0-56-cloud-amd64")
        );
        let names = [
            "linux-image-6.12.90+deb12.1-cloud-amd64",
            "linux-image-6.12.90+deb12-cloud-amd64",
        ];
        assert_eq!(
            newest(&names).as_deref(),
            Some("linux-image-6.12.90+deb12.1-cloud-amd64")
        );
        assert_eq!(newest(&[]), None);
    }

    #[test]
    fn a_split_kernel_is_followed_into_its_parts() {
        let show = |name: &str| {
            Ok(match name {
                "image" => "Version: 7-1\nDepends: dracut | x, base (= 7-1), modules (= 7-1), kmod\n",
                "modules" => "Version: 7-1\nDepends: base (= 7-1)\n",
                _ => "Version: 7-1\n",
            }
            .to_owned())
        };
        assert_eq!(
            parts("image", show).unwrap(),
            ["image=7-1", "base=7-1", "modules=7-1"]
        );
    }

    #[test]
    fn an_unknown_kernel_error_lists_the_known_ones() {
        let error = find("5.4").unwrap_err().to_string();
        assert!(error.contains("6.12-backports"), "{error}");
    }
}
