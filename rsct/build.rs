//! Builds the eBPF objects that `rsct` carries inside itself.

#![expect(
    clippy::disallowed_macros,
    reason = "a build script speaks to cargo on standard output"
)]

use std::{collections::HashSet, path::Path};

use anyhow::Context as _;
use aya_build::{Package, Toolchain};
use object::{
    build::elf::{Builder, SectionData},
    elf::{SHF_EXECINSTR, SHT_STRTAB},
};

/// The binaries of rsct-ebpf, an object each. `NAME-trampolines` has the fentry and fexit programs, `NAME` all others.
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
        let trampolines = Path::new(&out).join(format!("{name}-trampolines"));
        split(&object, &trampolines).with_context(|| format!("split {}", object.display()))?;
    }
    Ok(())
}

/// Moves the fentry and fexit programs of the object at `path` to an object of their own. aya loads the one and
/// `probe/tracing.rs` the other, and each would parse and relocate the other's programs in vain.
fn split(path: &Path, trampolines: &Path) -> anyhow::Result<()> {
    let object = std::fs::read(path).unwrap_or_default();
    if object.is_empty() {
        // The build was skipped on request (AYA_BUILD_SKIP): a program that carries nothing, and can't trace.
        std::fs::write(path, [])?;
        return Ok(std::fs::write(trampolines, [])?);
    }
    // A program for several functions has a section without a function's name.
    let is_trampoline = |section: &str| matches!(section.split('/').next(), Some("fentry" | "fexit"));
    std::fs::write(path, stripped(&object, |section| !is_trampoline(section))?)?;
    Ok(std::fs::write(trampolines, stripped(&object, is_trampoline)?)?)
}

/// The object with those programs alone whose section is `wanted`, and without what only a debugger reads: the lines, the
/// variables and the object's own types.
///
/// These are nine tenths of the file, and aya would parse them twice. If there are types, aya also probes which of them
/// the kernel understands and loads them. Nothing here needs them.
fn stripped(object: &[u8], wanted: impl Fn(&str) -> bool) -> anyhow::Result<Vec<u8>> {
    let mut builder = Builder::read(object)?;
    let programs: HashSet<String> = builder
        .sections
        .iter()
        .filter(|section| section.sh_flags.contains(SHF_EXECINSTR))
        .map(|section| section.name.to_string())
        // The functions that programs of any kind may call.
        .filter(|name| name != ".text")
        .collect();
    for section in &mut builder.sections {
        let name = section.name.to_string();
        let relocated = name.strip_prefix(".rel").unwrap_or(&name);
        section.delete = relocated.starts_with(".debug")
            || relocated.starts_with(".BTF")
            || programs.contains(relocated) && !wanted(relocated);
    }
    // LLVM keeps the names of sections and of symbols in one table, the writer in two.
    let names = builder.sections.add();
    names.name = b".shstrtab"[..].into();
    names.sh_type = SHT_STRTAB;
    names.data = SectionData::SectionString;
    builder.delete_orphans();
    let mut stripped = Vec::new();
    builder.write(&mut stripped)?;
    Ok(stripped)
}
