//! Duration of a packet's traversal of conntrack.
//!
//! net/netfilter/nf_conntrack_core.c:
//! `unsigned int nf_conntrack_in(struct sk_buff *skb, const struct nf_hook_state *state)`
//!
//! The kernel accepts at once a packet that already has its entry (loopback, a second traversal) or that a rule made
//! untracked: these are counted, but not timed. A template (the CT target's) is not an entry, and packets carry it
//! with IP_CT_NEW.

use aya_ebpf::{
    EbpfContext,
    macros::{fentry, fexit, kprobe, kretprobe},
    programs::{FEntryContext, FExitContext, ProbeContext, RetProbeContext},
};
use rsct_common::{
    TupleWords,
    latency::{Count, Function, HOOKS, PassOutcome},
};
use rsct_ebpf::{
    filter,
    globals::{NETNS, arg},
    kernel::{
        Memory, Typed, Untyped,
        args::{Arguments, Frame},
        hook_state::HookState,
        nf_conn::{IPS_CONFIRMED, NfConn},
        packet,
        sk_buff::{Nfct, SkBuff},
        tuple,
    },
    scratch::Slot,
};

use crate::{
    slow::{self, Slow},
    tally::{self, Key},
    timing::{self, State, now_ns},
};

/// `NF_ACCEPT`.
const ACCEPT: u32 = 1;
/// `IP_CT_RELATED`, `IP_CT_NEW`, `IP_CT_UNTRACKED`.
const RELATED: u8 = 1;
const NEW: u8 = 2;
const UNTRACKED: u8 = 7;

#[fentry(function = "nf_conntrack_in")]
pub fn in_fentry(ctx: FEntryContext) -> u32 {
    if let Some(slot) = enter(&ctx) {
        slot.claimed_ns = now_ns();
    }
    0
}

#[kprobe]
pub fn in_kprobe(ctx: ProbeContext) -> u32 {
    if let Some(slot) = enter(&ctx) {
        // A kretprobe has no arguments: the slot keeps them.
        slot.number = ctx.pointer(&arg::IN_STATE) as u64;
        slot.claimed_ns = now_ns();
    }
    0
}

#[inline(always)]
fn enter<C: Arguments + Frame>(ctx: &C) -> Option<&'static mut Slot<()>> {
    let skb = SkBuff::<C::Pointer>::new(ctx.pointer(&arg::IN_SKB));
    let wanted = NETNS.load();
    if wanted != 0 {
        let state = HookState::<C::Pointer>::new(ctx.pointer(&arg::IN_STATE));
        if state.netns() != wanted {
            return None;
        }
    }
    let came = skb.nfct();
    let state = timing::state(Function::ConntrackIn)?;
    if came.0 != 0 && came.ctinfo() != NEW {
        came_already(state, came);
        return None;
    }
    let slot = state.entered(skb.address(), ctx.frame())?;
    slot.nfct = came.0;
    Some(slot)
}

/// Conntrack does nothing with the packet.
#[inline(always)]
fn came_already(state: &mut State, came: Nfct) {
    let entry = NfConn::<Untyped>::new(came.ct());
    if entry.address() == 0 {
        // Its entry is unknown: it is counted only without a filter.
        if !filter::has_tests() {
            state.count(Count::UntrackedAlready);
        }
    } else if !filter::has_tests() || filter::wants(&entry.tuple(0), Some(entry)) {
        state.count(Count::TrackedAlready);
    }
}

#[fexit(function = "nf_conntrack_in")]
pub fn in_fexit(ctx: FExitContext) -> u32 {
    let skb = SkBuff::<Typed>::new(ctx.pointer(&arg::IN_SKB));
    if let Some(state) = timing::state(Function::ConntrackIn)
        && let Some(claim) = state.left_by(skb.address(), ctx.frame())
    {
        let took_ns = now_ns() - claim.slot.claimed_ns;
        let traversal = Traversal {
            came: Nfct(claim.slot.nfct),
            skb,
            state: || HookState::new(ctx.pointer(&arg::IN_STATE)),
            accepted: ctx.number(&arg::IN_RETURN) as u32 == ACCEPT,
        };
        traversal.report(&ctx, claim.slot, took_ns);
        claim.free();
    }
    0
}

#[kretprobe]
pub fn in_kretprobe(ctx: RetProbeContext) -> u32 {
    if let Some(state) = timing::state(Function::ConntrackIn)
        && let Some(claim) = state.left(ctx.frame())
    {
        let took_ns = now_ns() - claim.slot.claimed_ns;
        let state_address = claim.slot.number;
        let traversal = Traversal {
            came: Nfct(claim.slot.nfct),
            skb: SkBuff::<Untyped>::new(claim.slot.owner as *const u8),
            state: || HookState::new(state_address as *const u8),
            accepted: ctx.ret::<u32>() == ACCEPT,
        };
        traversal.report(&ctx, claim.slot, took_ns);
        claim.free();
    }
    0
}

/// A finished traversal. The state of the hook is read only where needed, which is rare.
struct Traversal<M, S> {
    came: Nfct,
    skb: SkBuff<M>,
    state: S,
    accepted: bool,
}

impl<M: Memory, S: Fn() -> HookState<M>> Traversal<M, S> {
    #[inline(always)]
    fn report<C: EbpfContext + Frame>(&self, ctx: &C, slot: &mut Slot<()>, took_ns: u64) {
        let leaves = self.skb.nfct();
        if filter::has_tests() && !self.is_wanted(leaves) {
            return;
        }
        if self.came.0 != 0 && self.came.0 == leaves.0 {
            // Not a template: an entry that is not in the table yet, on its second traversal.
            if let Some(state) = timing::state(Function::ConntrackIn) {
                state.count(Count::TrackedAlreadyAfterAll);
            }
            return;
        }
        tally::add(Function::ConntrackIn, self, took_ns);
        if slow::is_slow(took_ns) {
            let hook = (self.state)().hook();
            slow::send(
                ctx,
                &mut slot.number,
                Slow {
                    function: Function::ConntrackIn,
                    outcome: self.outcome() as u8,
                    started_ns: slot.claimed_ns,
                    took_ns,
                    tuple: self.tuple(leaves),
                    netns: (self.state)().netns(),
                    hook: Some((hook, (self.state)().ifindex(hook))),
                },
            );
        }
    }

    /// Returns the tuple of its entry, or of its headers.
    #[inline(always)]
    fn tuple(&self, leaves: Nfct) -> TupleWords {
        let entry = NfConn::<Untyped>::new(leaves.ct());
        if entry.address() == 0 {
            packet::tuple_of(self.skb, (self.state)().family())
        } else {
            entry.tuple(0)
        }
    }

    #[inline(always)]
    fn is_wanted(&self, leaves: Nfct) -> bool {
        let entry = NfConn::<Untyped>::new(leaves.ct());
        let entry = (entry.address() != 0).then_some(entry);
        filter::wants(&self.tuple(leaves), entry)
    }

    #[inline(always)]
    fn outcome(&self) -> PassOutcome {
        let leaves = self.skb.nfct();
        if !self.accepted {
            return PassOutcome::Dropped;
        }
        match leaves.ctinfo() {
            UNTRACKED => PassOutcome::Untracked,
            _ if leaves.ct().is_null() => PassOutcome::Invalid,
            // Only these can be new; an entry found in the table is confirmed.
            NEW | RELATED if NfConn::<Untyped>::new(leaves.ct()).status() & IPS_CONFIRMED == 0 => {
                PassOutcome::Created
            }
            _ => PassOutcome::Tracked,
        }
    }
}

impl<M: Memory, S: Fn() -> HookState<M>> Key for Traversal<M, S> {
    #[inline(always)]
    fn outcome(&self) -> u32 {
        Traversal::outcome(self) as u32
    }

    #[inline(always)]
    fn protonum(&self) -> u8 {
        tuple::protonum(&self.tuple(self.skb.nfct()))
    }

    #[inline(always)]
    fn netns(&self) -> u32 {
        (self.state)().netns()
    }

    #[inline(always)]
    fn hook(&self) -> u32 {
        (self.state)().hook() as u32 & (HOOKS - 1)
    }
}
