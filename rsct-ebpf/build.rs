//! Tells the linker, which is what generates the code, which instructions every kernel from 5.12 on has.

fn main() {
    println!("cargo::rustc-link-arg-bins=--cpu-features=+alu32");
    println!("cargo::rustc-check-cfg=cfg(bpf_target_arch, values(\"x86_64\", \"aarch64\"))");
    println!("cargo::rerun-if-changed=build.rs");
}
