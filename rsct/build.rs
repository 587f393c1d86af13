//! Builds the eBPF objects that `rsct` carries inside itself.

#![expect(
    clippy::disallowed_macros,
    reason = "a build script speaks to cargo on standard output"
)]

use std::path::Path;

use anyhow::Context as _;
use aya_build::{Package, Toolchain};
use object::{
    build::elf::{Builder, SectionData},
    elf::SHT_STRTAB,
};

/// The binaries of rsct-ebpf, an object each.
const OBJECTS: [&str; 3] = ["trace", "causes", "latency"];

/// The one toolchain of the workspace.
const TOOLCHAIN: &str = "1.98.0";

fn main() -> anyhow::Result<()> {
    // The BPF target has no ready-made `core`; building it is unstable, on this toolchain too.
    // SAFETY: a build script's only thread.
    unsafe { std::env::set_var("RUSTC_BOOTSTRAP", "1") };
    let root_dir = concat!(env!("CARGO_MANIFEST_DIR"), "/../rsct-ebpf");
    println!(
        "cargo::rerun-if-changed={}",
        concat!(env!("CARGO_MANIFEST_DIR"), "/../rsct-common")
    );
    let programs = Package {
        name: "rsct-ebpf",
        root_dir,
        ..Package::default()
    };
    aya_build::build_ebpf([programs], Toolchain::Custom(TOOLCHAIN))
        .context("build the eBPF programs (cargo xtask build installs what this needs)")?;
    let out = std::env::var_os("OUT_DIR").context("OUT_DIR is not set")?;
    for name in OBJECTS {
        let object = Path::new(&out).join(name);
        strip(&object).with_context(|| format!("strip {}", object.display()))?;
    }
    Ok(())
}

/// Takes out what only a debugger reads: the lines, the variables and the object's own types.
///
/// That is nine tenths of the file, and whoever loads it would parse it all, twice; where there are types,
/// aya also probes the kernel for what it understands of them and loads them. Nothing here needs them.
fn strip(path: &Path) -> anyhow::Result<()> {
    let object = std::fs::read(path).unwrap_or_default();
    if object.is_empty() {
        // The build was skipped on request (AYA_BUILD_SKIP): a program that carries nothing, and can't trace.
        return Ok(std::fs::write(path, [])?);
    }
    let mut builder = Builder::read(&*object)?;
    for section in &mut builder.sections {
        let name = section.name.to_string();
        section.delete = [".debug", ".rel.debug", ".BTF", ".rel.BTF"]
            .iter()
            .any(|part| name.starts_with(part));
    }
    // LLVM keeps the names of sections and of symbols in one table, the writer in two.
    let names = builder.sections.add();
    names.name = b".shstrtab"[..].into();
    names.sh_type = SHT_STRTAB;
    names.data = SectionData::SectionString;
    builder.delete_orphans();
    let mut stripped = Vec::new();
    builder.write(&mut stripped)?;
    std::fs::write(path, stripped)?;
    Ok(())
}
