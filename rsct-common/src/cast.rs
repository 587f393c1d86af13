//! The cast of a number to a pointer whose type the verifier knows: `bpf_rdonly_cast`, from Linux 6.2 on. Loads through
//! such a pointer need no helper.
//!
//! It is a kernel function: a call contains its id in the kernel's BTF, and the id of the type. The programs call a
//! helper that does not exist, and the loader replaces that call.

/// The number of that helper.
pub const RDONLY_CAST: i32 = 0x7f00_0001;

/// The program's global for the id of `struct nf_conn` in vmlinux's BTF; zero if this kernel cannot cast to it.
pub const NF_CONN_TYPE: &str = "NF_CONN_TYPE";

/// The same for `struct sk_buff`, and for `struct nf_hook_state`: both are zero unless this kernel can cast to all three.
pub const SK_BUFF_TYPE: &str = "SK_BUFF_TYPE";
/// See [`SK_BUFF_TYPE`].
pub const HOOK_STATE_TYPE: &str = "HOOK_STATE_TYPE";
