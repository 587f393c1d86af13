//! Numbers as pointers whose type the verifier knows: see `rsct_common::cast`.

use rsct_common::cast::RDONLY_CAST;

use super::{Memory, Typed, Untyped, nf_conn::NfConn};
use crate::globals;

/// Returns the entry as one that is read directly, if this kernel can cast. The loader replaces the call only in fentry
/// and fexit programs, whose arguments are typed.
#[inline(always)]
pub fn typed<M: Memory>(ct: NfConn<Untyped>) -> Option<NfConn<Typed>> {
    if !M::IS_TYPED {
        return None;
    }
    // A constant to the verifier, and to the loader, which removes the call if it is zero.
    let id = globals::NF_CONN_TYPE.load();
    if id == 0 {
        return None;
    }
    let pointer: u64;
    // SAFETY: the loader replaces the call by one of bpf_rdonly_cast, which changes no memory, or removes it.
    unsafe {
        core::arch::asm!(
            "call {cast}",
            cast = const RDONLY_CAST,
            lateout("r0") pointer,
            inlateout("r1") ct.address() => _,
            inlateout("r2") id => _,
            lateout("r3") _,
            lateout("r4") _,
            lateout("r5") _,
            options(nomem, nostack, preserves_flags),
        );
    }
    Some(NfConn::new(pointer as *const u8))
}
