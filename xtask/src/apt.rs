//! A private apt: Debian's packages of any suite, unpacked under target/, independent of this machine's packages.
//!
//! apt itself resolves, fetches and checks signatures, with the machine's own configuration (proxies, for example) but
//! with separate sources, lists and status. So it works without root.

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, bail};

use crate::{exec, paths, progress, suites::Mirror};

/// Unpacks `packages` of `suites` like [`Apt::unpack_with_dependencies`], and fetches new lists if that fails.
pub fn unpack(suites: &[&str], packages: &[&str], root: &Path, wanted: impl Fn(&str) -> bool) -> Result<()> {
    let fetch = |update| Apt::open(suites, update)?.unpack_with_dependencies(packages, root, &wanted);
    // The lists may name versions that the archive has replaced.
    fetch(false).or_else(|_| fetch(true))
}

/// A view of some suites, with its own lists.
pub struct Apt {
    dir: PathBuf,
    suites: String,
}

impl Apt {
    /// Opens the view of `suites`. Uses existing lists unless `update` is set.
    pub fn open(suites: &[&str], update: bool) -> Result<Self> {
        let name = suites.join("+");
        let apt = Self {
            dir: paths::target().join("apt").join(&name),
            suites: name,
        };
        if update || !apt.dir.join("updated").exists() {
            apt.update(suites)?;
        }
        Ok(apt)
    }

    fn update(&self, suites: &[&str]) -> Result<()> {
        let _step = progress::step(format!("fetching the package lists of {}", self.suites));
        let context = || format!("prepare {}", self.dir.display());
        for dir in ["lists/partial", "archives/partial", "empty"] {
            fs::create_dir_all(self.dir.join(dir)).with_context(context)?;
        }
        let sources = Mirror::of_this_machine()?.sources(suites);
        fs::write(self.dir.join("sources.list"), sources).with_context(context)?;
        // For this apt nothing is installed: it fetches all dependencies, including libc.
        fs::write(self.dir.join("status"), "").with_context(context)?;
        let mut command = self.command("apt-get");
        command.args(["update", "-o", "APT::Update::Error-Mode=any"]);
        exec::output(
            &mut command,
            &format!("fetch the package lists of {}", self.suites),
        )?;
        fs::write(self.dir.join("updated"), "").with_context(context)
    }

    /// The names of packages that begin with `prefix`.
    pub fn names(&self, prefix: &str) -> Result<Vec<String>> {
        let mut command = self.command("apt-cache");
        let names = exec::output(command.args(["pkgnames", prefix]), "list packages")?;
        Ok(names.lines().map(str::to_owned).collect())
    }

    /// The newest version of `package` and what it depends on, as control fields.
    pub fn show(&self, package: &str) -> Result<String> {
        let mut command = self.command("apt-cache");
        command.args(["show", "--no-all-versions", package]);
        exec::output(&mut command, &format!("look up {package}"))
    }

    /// The names of `packages` and of all their dependencies.
    pub fn with_dependencies(&self, packages: &[&str]) -> Result<Vec<String>> {
        let mut command = self.command("apt-get");
        command
            .args(["install", "--yes", "--simulate", "--no-install-recommends"])
            .args(packages);
        let plan = exec::output(&mut command, &format!("look up {}", packages.join(" ")))?;
        let name = |line: &str| Some(line.strip_prefix("Inst ")?.split(' ').next()?.to_owned());
        Ok(plan.lines().filter_map(name).collect())
    }

    /// Fetches exactly `packages` and unpacks them into `root`.
    pub fn unpack_exactly(&self, packages: &[String], root: &Path) -> Result<()> {
        let debs = root.with_extension("debs");
        exec::remove_dir(&debs)?;
        fs::create_dir_all(&debs).with_context(|| format!("create {}", debs.display()))?;
        let mut command = self.command("apt-get");
        command.arg("download").args(packages).current_dir(&debs);
        exec::output(&mut command, &format!("download {}", packages.join(" ")))?;
        unpack_debs(&debs, root, |_| true)?;
        exec::remove_dir(&debs)
    }

    /// Fetches `packages` with all dependencies, and unpacks into `root` those that `wanted` accepts by name.
    pub fn unpack_with_dependencies(
        &self,
        packages: &[&str],
        root: &Path,
        wanted: impl Fn(&str) -> bool,
    ) -> Result<()> {
        let debs = root.with_extension("debs");
        exec::remove_dir(&debs)?;
        let partial = debs.join("partial");
        fs::create_dir_all(&partial).with_context(|| format!("create {}", partial.display()))?;
        let mut command = self.command("apt-get");
        command
            .args(["install", "--yes", "--download-only", "--no-install-recommends"])
            .arg("-o")
            .arg(option("Dir::Cache::archives", &debs))
            .args(packages);
        exec::output(&mut command, &format!("download {}", packages.join(" ")))?;
        unpack_debs(&debs, root, wanted)?;
        exec::remove_dir(&debs)
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        let places = [
            ("Dir::Etc::sourcelist", "sources.list"),
            ("Dir::Etc::sourceparts", "empty"),
            ("Dir::Etc::preferences", "empty/none"),
            ("Dir::Etc::preferencesparts", "empty"),
            ("Dir::State", ""),
            ("Dir::State::lists", "lists"),
            ("Dir::State::status", "status"),
            ("Dir::Cache", ""),
            ("Dir::Cache::archives", "archives"),
        ];
        for (name, place) in places {
            command.arg("-o").arg(option(name, &self.dir.join(place)));
        }
        for fixed in [
            "Acquire::Languages=none",
            "Acquire::Retries=3",
            // As root, apt downloads as a user without access to this directory.
            "APT::Sandbox::User=root",
            "APT::Architecture=amd64",
            "APT::Install-Suggests=0",
        ] {
            command.args(["-o", fixed]);
        }
        command.arg("--quiet").env("LC_ALL", "C");
        command
    }
}

fn option(name: &str, place: &Path) -> OsString {
    let mut option = OsString::from(format!("{name}="));
    option.push(place);
    option
}

fn unpack_debs(debs: &Path, root: &Path, wanted: impl Fn(&str) -> bool) -> Result<()> {
    // Some of Debian's packages still have files in /bin or /lib: these follow the links.
    for dir in ["bin", "sbin", "lib", "lib64"] {
        let real = root.join("usr").join(dir);
        fs::create_dir_all(&real).with_context(|| format!("create {}", real.display()))?;
        let link = root.join(dir);
        if fs::symlink_metadata(&link).is_err() {
            std::os::unix::fs::symlink(format!("usr/{dir}"), &link)
                .with_context(|| format!("create {}", link.display()))?;
        }
    }
    let mut unpacked = 0;
    for entry in fs::read_dir(debs).with_context(|| format!("read {}", debs.display()))? {
        let deb = entry.with_context(|| format!("read {}", debs.display()))?.path();
        let file = deb.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let package = file.split('_').next().unwrap_or_default();
        if !file.ends_with(".deb") || !wanted(package) {
            continue;
        }
        extract(&deb, root).with_context(|| format!("unpack {file}"))?;
        unpacked += 1;
    }
    if unpacked == 0 {
        bail!("apt fetched no package into {}", debs.display());
    }
    Ok(())
}

/// Like `dpkg-deb --extract`, which would however replace the links by directories.
fn extract(deb: &Path, root: &Path) -> Result<()> {
    let mut reader = Command::new("dpkg-deb");
    reader.arg("--fsys-tarfile").arg(deb).stdout(Stdio::piped());
    let mut reader = reader
        .spawn()
        .map_err(|error| exec::start_error(&reader, &error, "read the package"))?;
    let archive = reader
        .stdout
        .take()
        .context("read the package: dpkg-deb has no output")?;
    let mut writer = Command::new("tar");
    writer
        .args([
            "--extract",
            "--keep-directory-symlink",
            "--no-same-owner",
            "--directory",
        ])
        .arg(root);
    let written = writer
        .stdin(archive)
        .status()
        .map_err(|error| exec::start_error(&writer, &error, "write its files"))?;
    let read = reader.wait().context("wait for dpkg-deb")?;
    if !read.success() || !written.success() {
        bail!("dpkg-deb ended with {read} and tar with {written}");
    }
    Ok(())
}
