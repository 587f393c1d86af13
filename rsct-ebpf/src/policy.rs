//! The policy that governs a flow's timeouts, emitted once or twice per flow, not with each packet.

use aya_ebpf::helpers::bpf_ktime_get_ns;
use rsct_common::{
    loss::Loss,
    record::{EntryFlags, EntryRecord, PolicyEvent, PolicyRecord, kind},
};

use crate::{
    emit::emit,
    kernel::{Memory, nf_conn::NfConn, timeout_policy::TimeoutPolicy},
};

/// Emits the policy that governs `ct`, born at `birth_ns`. Returns true if there is one.
#[inline(always)]
pub fn send<M: Memory>(ct: NfConn<M>, birth_ns: u64, netns: u32) -> bool {
    let Some(policy) = TimeoutPolicy::of(ct) else {
        return false;
    };
    governs(policy, ct.address(), birth_ns, netns);
    true
}

/// The same if an operation on an entry is its first sight: its packets will not be.
#[inline(always)]
pub fn send_at_first_sight<M: Memory>(record: &EntryRecord, ct: NfConn<M>) {
    if record.flags & EntryFlags::FIRST_SIGHT != 0 {
        send(ct, record.birth_ns, record.netns);
    }
}

/// Emits the policy that governs the entry at `ct`.
#[inline(always)]
pub fn governs(policy: TimeoutPolicy, ct: u64, birth_ns: u64, netns: u32) {
    let mut record = blank(PolicyEvent::Governs, netns);
    record.ct = ct;
    record.birth_ns = birth_ns;
    policy.describe(&mut record);
    emit(&record, Loss::PolicyRecord);
}

/// Emits that the policy at this address governs no flow from now on; zero stands for all policies of the namespace.
#[inline(always)]
pub fn ended(policy: u64, netns: u32) {
    let mut record = blank(PolicyEvent::Ended, netns);
    record.policy = policy;
    emit(&record, Loss::PolicyRecord);
}

#[inline(always)]
fn blank(what: PolicyEvent, netns: u32) -> PolicyRecord {
    PolicyRecord {
        kind: kind::POLICY,
        what: what as u8,
        netns,
        // SAFETY: no arguments.
        time_ns: unsafe { bpf_ktime_get_ns() },
        ..PolicyRecord::default()
    }
}
