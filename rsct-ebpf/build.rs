//! Tells the compiler which architectures the programs distinguish.
//!
//! No instruction set is set: the linker's oldest one serves every kernel, and costs least. With its 32-bit arithmetic (alu32) but
//! without 32-bit jumps, which this linker can only enable through rustc's target CPU, LLVM first turns each comparison of 32 bits into
//! a number, and then compares that: four more instructions.

fn main() {
    println!("cargo::rustc-check-cfg=cfg(bpf_target_arch, values(\"x86_64\", \"aarch64\"))");
    println!("cargo::rerun-if-changed=build.rs");
}
