//! `struct nf_hook_state` (include/linux/netfilter.h).

use core::marker::PhantomData;

use super::{Memory, field};
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
        let device = if hook == LOCAL_OUT {
            &globals::HOOK_STATE_OUT
        } else {
            &globals::HOOK_STATE_IN
        };
        let device = field::<M, u64>(self.0, device) as *const u8;
        if device.is_null() {
            0
        } else {
            field::<M, _>(device, &globals::NET_DEVICE_IFINDEX)
        }
    }
}
