//! The subset of a kernel's modules that guests may need: every file costs boot time.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result};

use crate::{cpio::Cpio, exec, image::Image, layer, paths, progress};

/// Directories and modules under `kernel/`, without `.ko`. Dependencies are added automatically.
const WANTED: &[&str] = &[
    "drivers/char/hw_random/virtio-rng",
    "drivers/char/virtio_console",
    "drivers/net/dummy",
    "drivers/net/ifb",
    "drivers/net/macvlan",
    "drivers/net/tun",
    "drivers/net/veth",
    "drivers/net/virtio_net",
    "drivers/net/vrf",
    "drivers/net/vxlan",
    "drivers/virtio",
    "net/802",
    "net/8021q",
    "net/bridge",
    "net/core",
    "net/dccp",
    "net/ipv4",
    "net/ipv6",
    "net/key",
    "net/llc",
    "net/netfilter",
    "net/openvswitch",
    "net/packet",
    "net/sched",
    "net/sctp",
    "net/xfrm",
];
const LISTS: &[&str] = &["modules.builtin", "modules.builtin.modinfo", "modules.order"];

/// The archive with the modules of `image`, built on first use.
pub fn layer(image: &Image) -> Result<PathBuf> {
    let file = paths::guest()
        .join("modules")
        .join(format!("{}.cpio", image.release));
    layer::cached(&file, &[&image.vmlinuz], || {
        let _step = progress::step(format!("gathering the modules of {}", image.release));
        let stage = file.with_extension("stage");
        exec::remove_dir(&stage)?;
        let archive =
            gather(image, &stage).with_context(|| format!("gather the modules of {}", image.release));
        exec::remove_dir(&stage)?;
        archive
    })
}

fn gather(image: &Image, stage: &Path) -> Result<Vec<u8>> {
    let dependencies = dependencies(image, stage)?;
    let place = stage.join("lib/modules").join(&image.release);
    let mut compressed: BTreeMap<&str, Vec<PathBuf>> = BTreeMap::new();
    for module in closure(&dependencies) {
        let to = place.join(module);
        copy(&image.modules.join(module), &to)?;
        match to.extension().and_then(OsStr::to_str) {
            Some("xz") => compressed.entry("xz").or_default().push(to),
            Some("zst") => compressed.entry("zstd").or_default().push(to),
            Some("gz") => compressed.entry("gzip").or_default().push(to),
            _ => {}
        }
    }
    // Decompressed once here rather than at every boot under emulation.
    for (program, files) in &compressed {
        let mut command = Command::new(program);
        command
            .args(["-d", "-q"])
            .args((*program == "zstd").then_some("--rm"));
        exec::output(command.args(files), "unpack modules")?;
    }
    for list in LISTS {
        let from = image.modules.join(list);
        if from.exists() {
            copy(&from, &place.join(list))?;
        }
    }
    depmod(stage, &image.release)?;
    let mut cpio = Cpio::default();
    cpio.dir("usr");
    cpio.dir("usr/lib");
    cpio.tree("usr/lib", &stage.join("lib"), &|_| true)?;
    Ok(cpio.finish())
}

/// `modules.dep` of the whole kernel: packages do not contain it.
fn dependencies(image: &Image, stage: &Path) -> Result<BTreeMap<String, Vec<String>>> {
    let file = image.modules.join("modules.dep");
    let text = if file.exists() {
        fs::read_to_string(&file).with_context(|| format!("read {}", file.display()))?
    } else {
        let whole = stage.join("whole");
        let dir = whole.join("lib/modules").join(&image.release);
        fs::create_dir_all(&dir).with_context(|| format!("create {}", dir.display()))?;
        let kernel = fs::canonicalize(image.modules.join("kernel"))
            .with_context(|| format!("resolve {}/kernel", image.modules.display()))?;
        let link = dir.join("kernel");
        std::os::unix::fs::symlink(&kernel, &link).with_context(|| format!("create {}", link.display()))?;
        depmod(&whole, &image.release)?;
        let file = dir.join("modules.dep");
        fs::read_to_string(&file).with_context(|| format!("read {}", file.display()))?
    };
    Ok(parse(&text))
}

fn parse(text: &str) -> BTreeMap<String, Vec<String>> {
    text.lines()
        .filter_map(|line| line.split_once(':'))
        .map(|(module, needs)| {
            (
                module.to_owned(),
                needs.split_whitespace().map(str::to_owned).collect(),
            )
        })
        .collect()
}

/// The wanted modules and their dependencies, which `modules.dep` lists transitively.
fn closure(dependencies: &BTreeMap<String, Vec<String>>) -> BTreeSet<&str> {
    let mut modules = BTreeSet::new();
    for (module, needs) in dependencies {
        if wanted(module) {
            modules.insert(module.as_str());
            modules.extend(needs.iter().map(String::as_str));
        }
    }
    modules
}

fn wanted(module: &str) -> bool {
    let Some(path) = module.strip_prefix("kernel/") else {
        return false;
    };
    WANTED.iter().any(|wanted| {
        path.strip_prefix(wanted)
            .is_some_and(|rest| rest.starts_with('/') || rest.starts_with(".ko"))
    })
}

fn depmod(base: &Path, release: &str) -> Result<()> {
    // In /sbin, which is not on an ordinary user's search path.
    let mut command = Command::new(exec::find("depmod").unwrap_or_else(|| "depmod".into()));
    command.arg("-b").arg(base).arg(release);
    exec::output(&mut command, &format!("index the modules of {release}"))?;
    Ok(())
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    let context = || format!("copy {} to {}", from.display(), to.display());
    if let Some(dir) = to.parent() {
        fs::create_dir_all(dir).with_context(context)?;
    }
    fs::copy(from, to).with_context(context)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_includes_its_dependencies_only() {
        let dependencies = parse(
            "kernel/net/netfilter/nf_conntrack.ko: kernel/lib/libcrc32c.ko\n\
             kernel/lib/libcrc32c.ko:\n\
             kernel/net/ceph/libceph.ko: kernel/lib/libcrc32c.ko\n\
             kernel/drivers/net/veth.ko.xz:\n",
        );
        let modules: Vec<&str> = closure(&dependencies).into_iter().collect();
        assert_eq!(
            modules,
            [
                "kernel/drivers/net/veth.ko.xz",
                "kernel/lib/libcrc32c.ko",
                "kernel/net/netfilter/nf_conntrack.ko"
            ]
        );
    }

    #[test]
    fn a_name_is_matched_whole() {
        assert!(wanted("kernel/drivers/net/tun.ko"));
        assert!(!wanted("kernel/drivers/net/tunnel.ko"));
        assert!(!wanted("kernel/net/ipv4extra/x.ko"));
        assert!(!wanted("updates/net/ipv4/x.ko"));
    }
}
