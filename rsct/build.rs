//! Builds the eBPF object that `rsct` carries inside itself.

use anyhow::Context as _;
use aya_build::{Package, Toolchain};

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
        .context("build the eBPF programs (cargo xtask build installs what this needs)")
}
