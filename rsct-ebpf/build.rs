//! Passes the linker, which generates the code, the instruction set that every kernel from 5.12 on supports.

fn main() {
    println!("cargo::rustc-link-arg-bins=--cpu-features=+alu32");
    println!("cargo::rustc-check-cfg=cfg(bpf_target_arch, values(\"x86_64\", \"aarch64\"))");
    println!("cargo::rerun-if-changed=build.rs");
}
