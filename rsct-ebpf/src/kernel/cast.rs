//! Numbers as pointers whose type the verifier knows: see `rsct_common::cast`.

use aya_ebpf::{Global, programs::ProbeContext};
use rsct_common::cast::RDONLY_CAST;

use super::{
    Memory, Typed, Untyped,
    args::{Arguments, Frame},
    hook_state::HookState,
    nf_conn::NfConn,
    sk_buff::SkBuff,
};
use crate::globals;

/// The call, whose id is a constant to the verifier. It changes no memory.
#[inline(always)]
fn cast(address: u64, id: u64) -> *const u8 {
    let pointer: u64;
    // SAFETY: the loader replaces the call by one of bpf_rdonly_cast. Without that function the id is zero, and the
    // verifier prunes the call.
    unsafe {
        core::arch::asm!(
            "call {cast}",
            cast = const RDONLY_CAST,
            lateout("r0") pointer,
            inlateout("r1") address => _,
            inlateout("r2") id => _,
            lateout("r3") _,
            lateout("r4") _,
            lateout("r5") _,
            options(nomem, nostack, preserves_flags),
        );
    }
    pointer as *const u8
}

/// Returns the entry as one that is read directly, if this kernel can cast.
#[inline(always)]
pub fn typed<M: Memory>(ct: NfConn<Untyped>) -> Option<NfConn<Typed>> {
    let id = globals::NF_CONN_TYPE.load();
    (M::IS_TYPED && id != 0).then(|| NfConn::new(cast(ct.address(), id)))
}

/// True if the arguments of a kprobe can be cast.
#[inline(always)]
pub fn has_arguments() -> bool {
    globals::HOOK_STATE_TYPE.load() != 0
}

/// A kprobe whose arguments are cast.
pub struct Cast<'a>(pub &'a ProbeContext);

impl Arguments for Cast<'_> {
    type Pointer = Typed;

    #[inline(always)]
    fn pointer(&self, position: &Global<u64>) -> *const u8 {
        self.0.pointer(position)
    }

    #[inline(always)]
    fn number(&self, position: &Global<u64>) -> u64 {
        self.0.number(position)
    }

    #[inline(always)]
    fn following(&self, position: &Global<u64>) -> u64 {
        self.0.following(position)
    }

    #[inline(always)]
    fn packet(&self, position: &Global<u64>) -> SkBuff<Typed> {
        packet(self.number(position))
    }

    #[inline(always)]
    fn entry(&self, position: &Global<u64>) -> NfConn<Typed> {
        NfConn::new(cast(self.number(position), globals::NF_CONN_TYPE.load()))
    }

    #[inline(always)]
    fn hook_state(&self, position: &Global<u64>) -> HookState<Typed> {
        hook_state(self.number(position))
    }
}

impl Frame for Cast<'_> {
    #[inline(always)]
    fn frame(&self) -> u64 {
        self.0.frame()
    }
}

/// The packet at `address`, if [`has_arguments`].
#[inline(always)]
pub fn packet(address: u64) -> SkBuff<Typed> {
    SkBuff::new(cast(address, globals::SK_BUFF_TYPE.load()))
}

/// The hook's state at `address`, if [`has_arguments`].
#[inline(always)]
pub fn hook_state(address: u64) -> HookState<Typed> {
    HookState::new(cast(address, globals::HOOK_STATE_TYPE.load()))
}

/// Runs a body with a kprobe's arguments, cast if this kernel can do that.
#[macro_export]
macro_rules! with_arguments {
    ($ctx:ident, $body:expr) => {
        if $crate::kernel::cast::has_arguments() {
            let $ctx = &$crate::kernel::cast::Cast(&$ctx);
            $body
        } else {
            let $ctx = &$ctx;
            $body
        }
    };
}
