//! `struct nf_hook_state` (include/linux/netfilter.h).

use core::marker::PhantomData;

use aya_ebpf::Global;

use super::{Memory, Untyped, field};
use crate::globals;

/// The hook at which a packet is.
#[derive(Clone, Copy)]
pub struct HookState<M>(*const u8, PhantomData<M>);

/// `NF_INET_LOCAL_OUT`.
pub const LOCAL_OUT: u8 = 3;

impl<M: Memory> HookState<M> {
    #[inline(always)]
    pub fn new(pointer: *const u8) -> Self {
        Self(pointer, PhantomData)
    }

    #[inline(always)]
    pub fn address(self) -> u64 {
        self.0 as u64
    }

    #[inline(always)]
    pub fn hook(self) -> u8 {
        field::<M, _>(self.0, &globals::HOOK_STATE_HOOK)
    }

    /// `NFPROTO_IPV4` (2) or `NFPROTO_IPV6` (10).
    #[inline(always)]
    pub fn family(self) -> u8 {
        field::<M, _>(self.0, &globals::HOOK_STATE_PF)
    }

    /// Inode number of the namespace.
    #[inline(always)]
    pub fn netns(self) -> u32 {
        let net = field::<M, u64>(self.0, &globals::HOOK_STATE_NET) as *const u8;
        field::<M, _>(net, &globals::NET_INUM)
    }

    /// Index of the interface the packet came in by, or for LOCAL_OUT the one it leaves by.
    #[inline(always)]
    pub fn ifindex(self, hook: u8) -> u32 {
        if hook == LOCAL_OUT {
            self.index(&globals::HOOK_STATE_OUT)
        } else {
            self.index(&globals::HOOK_STATE_IN)
        }
    }

    #[inline(always)]
    fn index(self, device: &Global<u64>) -> u32 {
        index_of::<M>(field::<M, u64>(self.0, device))
    }
}

/// Index of the interface at `device`, if there is one.
#[inline(always)]
fn index_of<M: Memory>(device: u64) -> u32 {
    if device == 0 {
        0
    } else {
        field::<M, _>(device as *const u8, &globals::NET_DEVICE_IFINDEX)
    }
}

/// The words of [`Place`].
const WORDS: usize = 4;

/// What a record needs of a hook. Where each read is a helper's call, one reads all of it.
pub struct Place<M> {
    state: HookState<M>,
    copy: Option<[u64; WORDS]>,
}

impl<M: Memory> Place<M> {
    #[inline(always)]
    pub fn of(state: HookState<M>) -> Self {
        let copied = !M::IS_TYPED
            && within(&globals::HOOK_STATE_HOOK)
            && within(&globals::HOOK_STATE_PF)
            && within(&globals::HOOK_STATE_IN)
            && within(&globals::HOOK_STATE_OUT);
        Self {
            state,
            copy: copied.then(|| Untyped::read(state.0)),
        }
    }

    #[inline(always)]
    pub fn hook(&self) -> u8 {
        match &self.copy {
            Some(copy) => byte(copy, &globals::HOOK_STATE_HOOK),
            None => self.state.hook(),
        }
    }

    #[inline(always)]
    pub fn family(&self) -> u8 {
        match &self.copy {
            Some(copy) => byte(copy, &globals::HOOK_STATE_PF),
            None => self.state.family(),
        }
    }

    /// Index of the interface the packet came in by.
    #[inline(always)]
    pub fn ifindex_in(&self) -> u32 {
        self.index(&globals::HOOK_STATE_IN)
    }

    /// Index of the interface it leaves by.
    #[inline(always)]
    pub fn ifindex_out(&self) -> u32 {
        self.index(&globals::HOOK_STATE_OUT)
    }

    #[inline(always)]
    fn index(&self, device: &Global<u64>) -> u32 {
        match &self.copy {
            Some(copy) => index_of::<M>(copy.get(device.load() as usize / 8).copied().unwrap_or(0)),
            None => self.state.index(device),
        }
    }
}

/// True if a field is in the copy; a pointer is aligned.
#[inline(always)]
fn within(field: &Global<u64>) -> bool {
    field.load() < WORDS as u64 * 8
}

/// The offset is a constant to the verifier, not to the compiler.
#[inline(always)]
fn byte(copy: &[u64; WORDS], field: &Global<u64>) -> u8 {
    // SAFETY: words are bytes.
    let bytes = unsafe { &*copy.as_ptr().cast::<[u8; WORDS * 8]>() };
    bytes.get(field.load() as usize).copied().unwrap_or(0)
}
