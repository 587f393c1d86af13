//! NAT searches a free tuple: the duration, the number of attempts, and the result.
//!
//! net/netfilter/nf_nat_core.c: `unsigned int nf_nat_setup_info(struct nf_conn *ct, const struct nf_nat_range2 *range,
//! enum nf_nat_manip_type maniptype)`

use core::mem::{MaybeUninit, offset_of};

use aya_ebpf::{
    helpers::bpf_ktime_get_ns,
    macros::{fentry, fexit, kprobe, kretprobe, map},
    maps::PerCpuArray,
    programs::{FEntryContext, FExitContext, ProbeContext, RetProbeContext},
};
use rsct_common::{
    TupleWords,
    loss::Loss,
    record::{CauseFamily, nat, what},
};

use crate::{
    filter,
    globals::{NAT_RANGE_FLAGS, NAT_RANGE_MAX, NAT_RANGE_MAX_PROTO, NAT_RANGE_MIN, NAT_RANGE_MIN_PROTO, arg},
    kernel::{
        Memory as _, Untyped,
        args::{Arguments, Frame},
        at, field,
        nf_conn::{IPPROTO_TCP, IPS_CONFIRMED, NfConn},
        tuple,
    },
    report,
    scratch::Slots,
    words,
};

/// A search in progress.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Search {
    ct: u64,
    netns: u32,
    wanted: u32,
    /// 0 the source is changed, 1 the destination (`enum nf_nat_manip_type`).
    manip: u32,
    /// The cause's code, once known.
    code: u32,
    /// The number of tuples that NAT tried.
    attempts: u32,
    /// The number of taken tuples among them.
    taken: u32,
    /// Nonzero if the last of them is taken.
    last_taken: u32,
    /// The attempt after which an old connection was evicted for its tuple.
    evicted: u32,
    reply: TupleWords,
    /// `flags`, `min_proto`, `max_proto`, `min_addr`, `max_addr` of the range.
    flags: u32,
    ports: [u16; 2],
    min: [u64; 2],
    max: [u64; 2],
}

#[map]
static SEARCHES: PerCpuArray<Slots<Search>> = PerCpuArray::with_max_entries(1, 0);

#[fentry(function = "nf_nat_setup_info")]
pub fn nat_fentry(ctx: FEntryContext) -> u32 {
    enter(&ctx);
    0
}

#[kprobe]
pub fn nat_kprobe(ctx: ProbeContext) -> u32 {
    enter(&ctx);
    0
}

#[fexit(function = "nf_nat_setup_info")]
pub fn nat_fexit(ctx: FExitContext) -> u32 {
    leave(&ctx, ctx.number(&arg::NAT_RETURN) as u32);
    0
}

#[kretprobe]
pub fn nat_kretprobe(ctx: RetProbeContext) -> u32 {
    leave(&ctx, ctx.ret::<u32>());
    0
}

#[inline(always)]
fn enter<C: Arguments + Frame>(ctx: &C) {
    let ct = NfConn::<Untyped>::new(ctx.pointer(&arg::NAT_CT));
    // A confirmed entry is not translated any more.
    if ct.status() & IPS_CONFIRMED != 0 {
        return;
    }
    let Some(slots) = SEARCHES.get_ptr_mut(0) else {
        return;
    };
    let range = ctx.pointer(&arg::NAT_RANGE);
    // SAFETY: this CPU's slots; `scratch` explains who else can access them.
    let Some(claim) = unsafe { &mut *slots }.claim(ct.address(), ctx.frame(), Loss::OperationForgotten)
    else {
        return;
    };
    let search = &mut claim.slot.record;
    search.ct = ct.address();
    search.netns = ct.netns();
    let orig = ct.tuple(0);
    search.wanted = (filter::wants_netns(search.netns) && filter::wants(&orig, Some(ct))) as u32;
    search.manip = ctx.number(&arg::NAT_MANIP) as u32;
    const { assert!(offset_of!(Search, attempts).is_multiple_of(8)) };
    // SAFETY: two words: `attempts`, `taken`, `last_taken` and `evicted`.
    unsafe { words::zero((&raw mut search.attempts).cast::<[u64; 2]>()) };
    search.reply = ct.tuple(1);
    search.flags = field::<Untyped, _>(range, &NAT_RANGE_FLAGS);
    search.ports = [
        field::<Untyped, _>(range, &NAT_RANGE_MIN_PROTO),
        field::<Untyped, _>(range, &NAT_RANGE_MAX_PROTO),
    ];
    search.min = Untyped::read(at(range, NAT_RANGE_MIN.load()));
    search.max = Untyped::read(at(range, NAT_RANGE_MAX.load()));
    // SAFETY: no arguments.
    claim.slot.claimed_ns = unsafe { bpf_ktime_get_ns() };
}

#[inline(always)]
fn leave<C: Frame>(ctx: &C, verdict: u32) {
    // SAFETY: no arguments.
    let now = unsafe { bpf_ktime_get_ns() };
    let Some(slots) = SEARCHES.get_ptr_mut(0) else {
        return;
    };
    // SAFETY: as above.
    let Some(claim) = unsafe { &mut *slots }.claimed_at(ctx.frame()) else {
        return;
    };
    let claim = claim.begin_exit();
    let duration_ns = now.wrapping_sub(claim.slot.claimed_ns);
    let search = &mut claim.slot.record;
    if search.wanted != 0 {
        judge(search, verdict, duration_ns, ctx.frame());
    }
    claim.free();
}

#[inline(always)]
fn judge(search: &mut Search, verdict: u32, duration_ns: u64, frame: u64) {
    const NF_ACCEPT: u32 = 1;
    let ct = NfConn::<Untyped>::new(search.ct as *const u8);
    let reply = ct.tuple(1);
    let code = if verdict != NF_ACCEPT {
        what::NAT_REFUSED
    } else if search.last_taken != 0 {
        what::NAT_EXHAUSTED
    } else if search.evicted != 0 && search.evicted == search.attempts {
        what::NAT_EVICTED
    } else if search.attempts > 1 {
        what::NAT_SEARCHED
    } else if words::equal(&reply, &search.reply) {
        what::NAT_UNCHANGED
    } else {
        what::NAT_FIRST_TRY
    };
    // The verifier knows no bounds of a number read from a map: it walks the rest once, instead of once for each
    // code.
    // SAFETY: a field of the slot; volatile, so that it is really read back.
    let code = unsafe {
        (&raw mut search.code).write_volatile(code as u32);
        (&raw const search.code).read_volatile() as u8
    };
    let mut room = MaybeUninit::uninit();
    let key = report::key(
        &mut room,
        CauseFamily::Nat,
        code,
        search.manip as u16,
        search.netns,
        nat::steps(bit_length(search.attempts as u64), bit_length(duration_ns)),
    );
    // Most flows are not translated: they are counted, but get no record.
    if code == what::NAT_UNCHANGED {
        report::counted(key, None);
        return;
    }
    if let Some(mut record) = report::reserve(key, None) {
        report::note_task(&mut record, frame);
        report::describe(&mut record, ct);
        record.left_jiffies = ct.timeout() as i32;
        record.numbers[nat::DURATION_NS] = duration_ns;
        record.numbers[nat::ATTEMPTS] = search.attempts as u64 | (search.taken as u64) << 32;
        record.numbers[nat::FLAGS] = search.flags as u64;
        record.numbers[nat::PORTS] =
            u16::from_be(search.ports[0]) as u64 | (u16::from_be(search.ports[1]) as u64) << 16;
        record.numbers[nat::MIN] = search.min[0];
        record.numbers[nat::MIN + 1] = search.min[1];
        record.numbers[nat::MAX] = search.max[0];
        record.numbers[nat::MAX + 1] = search.max[1];
        record.send();
    }
}

/// Returns the number of bits in `number` without leading zeros.
///
/// Compiles to arithmetic without a branch. After each branch the verifier would have two sets of known bits, and
/// would walk the rest of the program once for each combination.
#[inline(always)]
fn bit_length(number: u64) -> u64 {
    (u64::BITS - number.leading_zeros()) as u64
}

/// Returns NAT's search in progress on this CPU, if any; with `ct`, only that entry's.
#[inline(always)]
pub fn under_way(frame: u64, ct: Option<u64>) -> Option<&'static mut Search> {
    let slots = SEARCHES.get_ptr_mut(0)?;
    // SAFETY: as above.
    let slot = unsafe { &mut *slots }.within(frame)?;
    ct.is_none_or(|ct| slot.record.ct == ct)
        .then_some(&mut slot.record)
}

impl Search {
    /// Returns true if the filter matches the entry.
    #[inline(always)]
    pub fn is_wanted(&self) -> bool {
        self.wanted != 0
    }

    /// Returns the inode number of the entry's namespace.
    #[inline(always)]
    pub fn netns(&self) -> u32 {
        self.netns
    }

    /// True for TCP, which uses another lookup for the last few tuples.
    #[inline(always)]
    pub fn is_tcp(&self) -> bool {
        tuple::protonum(&self.reply) == IPPROTO_TCP
    }

    /// Records an attempt: a tuple, and whether it is taken.
    #[inline(always)]
    pub fn tried(&mut self, is_taken: bool) {
        self.attempts += 1;
        self.taken += is_taken as u32;
        self.last_taken = is_taken as u32;
    }

    /// Records that the last tuple was freed by an eviction.
    #[inline(always)]
    pub fn evicts(&mut self) {
        if self.last_taken != 0 {
            self.last_taken = 0;
            self.evicted = self.attempts;
        }
    }
}
