//! The entry's state before the packet: at the entry of the protocol's handler.
//!
//! net/netfilter/nf_conntrack_proto_*.c, all alike except those of ICMP, which have no `dataoff`:
//! `int nf_conntrack_udp_packet(struct nf_conn *ct, struct sk_buff *skb, unsigned int dataoff,
//! enum ip_conntrack_info ctinfo, const struct nf_hook_state *state)`

use aya_ebpf::{
    Global,
    macros::{fentry, kprobe},
    programs::{FEntryContext, ProbeContext},
};
use rsct_common::record::{PacketFlags, PacketRecord};
use rsct_ebpf::with_arguments;

use crate::{
    globals::arg,
    kernel::{Memory, args::Arguments, nf_conn::NfConn, packet, tuple},
    scratch::{self, Identified, Slot},
};

#[inline(always)]
fn before<C: Arguments>(ctx: &C, ct: &Global<u64>, skb: &Global<u64>) {
    let skb = ctx.pointer(skb) as u64;
    let Some(slots) = scratch::traversals() else {
        return;
    };
    let Some(slot) = slots.traversal_of(skb) else {
        return;
    };
    remember(slot, ctx.entry(ct));
}

#[inline(always)]
fn remember<M: Memory>(slot: &mut Slot<PacketRecord>, ct: NfConn<M>) {
    // A packet of another namespace.
    if slot.record.flags & PacketFlags::REJECTED != 0 {
        return;
    }
    if matches!(slot.identify(ct), Identified::Rejected) {
        return;
    }
    let record = &mut slot.record;
    record.mark = ct.mark();
    record.status_before = ct.status();
    record.timeout_before_jiffies = ct.timeout();
    record.state_before = ct.proto_state(tuple::protonum(&record.tuple));
    record.flags |= PacketFlags::BEFORE | PacketFlags::MARK;
    slot.find_birth();
}

/// Copies the fields of the packet's TCP header.
#[inline(always)]
fn tcp_header<C: Arguments>(ctx: &C) {
    let skb = ctx.packet(&arg::TCP_SKB);
    let Some(slots) = scratch::traversals() else {
        return;
    };
    let Some(slot) = slots.traversal_of(skb.address()) else {
        return;
    };
    if slot.record.flags & PacketFlags::REJECTED != 0 {
        return;
    }
    if let Some(tcp) = packet::tcp_header(skb, ctx.number(&arg::TCP_DATAOFF) as u32) {
        slot.record.flags |= PacketFlags::HEADER;
        slot.record.tcp_seq = tcp.seq;
        slot.record.tcp_ack = tcp.ack;
        slot.record.tcp_window = tcp.window;
        slot.record.tcp_flags = tcp.flags;
    }
}

/// The fentry and kprobe programs of a protocol's handler.
macro_rules! handler {
    ($function:literal, $fentry:ident, $kprobe:ident, $ct:ident, $skb:ident $(, $more:ident)?) => {
        #[fentry(function = $function)]
        pub fn $fentry(ctx: FEntryContext) -> u32 {
            before(&ctx, &arg::$ct, &arg::$skb);
            $($more(&ctx);)?
            0
        }

        #[kprobe]
        pub fn $kprobe(ctx: ProbeContext) -> u32 {
            with_arguments!(ctx, {
                before(ctx, &arg::$ct, &arg::$skb);
                $($more(ctx);)?
            });
            0
        }
    };
}

handler!(
    "nf_conntrack_tcp_packet",
    tcp_fentry,
    tcp_kprobe,
    TCP_CT,
    TCP_SKB,
    tcp_header
);
handler!("nf_conntrack_udp_packet", udp_fentry, udp_kprobe, UDP_CT, UDP_SKB);
handler!(
    "nf_conntrack_udplite_packet",
    udplite_fentry,
    udplite_kprobe,
    UDPLITE_CT,
    UDPLITE_SKB
);
handler!(
    "nf_conntrack_icmp_packet",
    icmp_fentry,
    icmp_kprobe,
    ICMP_CT,
    ICMP_SKB
);
handler!(
    "nf_conntrack_icmpv6_packet",
    icmpv6_fentry,
    icmpv6_kprobe,
    ICMPV6_CT,
    ICMPV6_SKB
);
handler!(
    "nf_conntrack_sctp_packet",
    sctp_fentry,
    sctp_kprobe,
    SCTP_CT,
    SCTP_SKB
);
handler!(
    "nf_conntrack_dccp_packet",
    dccp_fentry,
    dccp_kprobe,
    DCCP_CT,
    DCCP_SKB
);
handler!("nf_conntrack_gre_packet", gre_fentry, gre_kprobe, GRE_CT, GRE_SKB);
