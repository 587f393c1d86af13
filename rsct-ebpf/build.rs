//! Tells the compiler which architectures the programs distinguish.
//!
//! The instruction set stays the linker's oldest, which every kernel supports and which costs least. With 32-bit
//! arithmetic (alu32) but without 32-bit jumps, LLVM turns each comparison of 32 bits into a number first, and compares
//! that: four more instructions. Only rustc's target CPU enables those jumps, and aya-build does not pass it on.

fn main() {
    println!("cargo::rustc-check-cfg=cfg(bpf_target_arch, values(\"x86_64\", \"aarch64\"))");
    println!("cargo::rerun-if-changed=build.rs");
}
