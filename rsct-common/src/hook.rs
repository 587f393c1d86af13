//! The kernel functions' arguments that the programs read.

/// The position of an argument that this kernel's function does not have.
pub const NO_ARGUMENT: u64 = u64::MAX;

/// One argument of a hooked function, by name.
#[derive(Clone, Copy, Debug)]
pub struct Argument {
    /// The program's global that receives the position.
    pub global: &'static str,
    /// The kernel function.
    pub function: &'static str,
    /// The parameter's name in the kernel's source; `return` is the value returned.
    pub name: &'static str,
}

/// Calls `$list!` with every argument that the programs of `rsct trace` use: the global, the function, the parameter.
#[macro_export]
macro_rules! for_each_argument {
    ($list:ident) => {
        $list! {
            IN_SKB: "nf_conntrack_in" "skb";
            IN_STATE: "nf_conntrack_in" "state";
            IN_RETURN: "nf_conntrack_in" "return";
            TCP_CT: "nf_conntrack_tcp_packet" "ct";
            TCP_SKB: "nf_conntrack_tcp_packet" "skb";
            TCP_DATAOFF: "nf_conntrack_tcp_packet" "dataoff";
            UDP_CT: "nf_conntrack_udp_packet" "ct";
            UDP_SKB: "nf_conntrack_udp_packet" "skb";
            UDPLITE_CT: "nf_conntrack_udplite_packet" "ct";
            UDPLITE_SKB: "nf_conntrack_udplite_packet" "skb";
            ICMP_CT: "nf_conntrack_icmp_packet" "ct";
            ICMP_SKB: "nf_conntrack_icmp_packet" "skb";
            ICMPV6_CT: "nf_conntrack_icmpv6_packet" "ct";
            ICMPV6_SKB: "nf_conntrack_icmpv6_packet" "skb";
            ICMP_ERROR_SKB: "nf_conntrack_icmpv4_error" "skb";
            ICMP_ERROR_DATAOFF: "nf_conntrack_icmpv4_error" "dataoff";
            ICMPV6_ERROR_SKB: "nf_conntrack_icmpv6_error" "skb";
            ICMPV6_ERROR_DATAOFF: "nf_conntrack_icmpv6_error" "dataoff";
            SCTP_CT: "nf_conntrack_sctp_packet" "ct";
            SCTP_SKB: "nf_conntrack_sctp_packet" "skb";
            DCCP_CT: "nf_conntrack_dccp_packet" "ct";
            DCCP_SKB: "nf_conntrack_dccp_packet" "skb";
            GRE_CT: "nf_conntrack_gre_packet" "ct";
            GRE_SKB: "nf_conntrack_gre_packet" "skb";
            CONFIRM_SKB: "__nf_conntrack_confirm" "skb";
            CONFIRM_RETURN: "__nf_conntrack_confirm" "return";
            INSERT_CT: "__nf_conntrack_hash_insert" "ct";
            CHECK_INSERT_CT: "nf_conntrack_hash_check_insert" "ct";
            CHECK_INSERT_RETURN: "nf_conntrack_hash_check_insert" "return";
            REFRESH_CT: "__nf_ct_refresh_acct" "ct";
            REFRESH_EXTRA: "__nf_ct_refresh_acct" "extra_jiffies";
            DELETE_CT: "nf_ct_delete" "ct";
            DELETE_PORTID: "nf_ct_delete" "portid";
            DELETE_RETURN: "nf_ct_delete" "return";
            CHANGE_TIMEOUT_CT: "__nf_ct_change_timeout" "ct";
            CHANGE_TIMEOUT_JIFFIES: "__nf_ct_change_timeout" "timeout";
            UNTIMEOUT_NET: "nf_ct_untimeout" "net";
            UNTIMEOUT_POLICY: "nf_ct_untimeout" "timeout";
            FILL_INFO_PORTID: "ctnetlink_fill_info" "portid";
            FILL_INFO_CT: "ctnetlink_fill_info" "ct";
            DESTROY_NFCT: "nf_ct_destroy" "nfct";
            ALLOC_NET: "__nf_conntrack_alloc" "net";
            ALLOC_ZONE: "__nf_conntrack_alloc" "zone";
            ALLOC_ORIG: "__nf_conntrack_alloc" "orig";
            ALLOC_REPL: "__nf_conntrack_alloc" "repl";
            ALLOC_RETURN: "__nf_conntrack_alloc" "return";
        }
    };
}

/// The same for the arguments that only the programs of causes use.
#[macro_export]
macro_rules! for_each_cause_argument {
    ($list:ident) => {
        $list! {
            CT_LOG_SKB: "nf_ct_l4proto_log_invalid" "skb";
            CT_LOG_CT: "nf_ct_l4proto_log_invalid" "ct";
            CT_LOG_FMT: "nf_ct_l4proto_log_invalid" "fmt";
            LOG_SKB: "nf_l4proto_log_invalid" "skb";
            LOG_FMT: "nf_l4proto_log_invalid" "fmt";
            EARLY_DROP_RETURN: "early_drop" "return";
            CLASH_SKB: "nf_ct_resolve_clash" "skb";
            CLASH_H: "nf_ct_resolve_clash" "h";
            CLASH_RETURN: "nf_ct_resolve_clash" "return";
            NAT_CT: "nf_nat_setup_info" "ct";
            NAT_RANGE: "nf_nat_setup_info" "range";
            NAT_MANIP: "nf_nat_setup_info" "maniptype";
            NAT_RETURN: "nf_nat_setup_info" "return";
            TAKEN_CT: "nf_conntrack_tuple_taken" "ignored_conntrack";
            TAKEN_RETURN: "nf_conntrack_tuple_taken" "return";
            FIND_GET_RETURN: "nf_conntrack_find_get" "return";
            EVENT_EVENTS: "ctnetlink_conntrack_event" "events";
            EVENT_ITEM: "ctnetlink_conntrack_event" "item";
            NEW_CONNTRACK_INFO: "ctnetlink_new_conntrack" "info";
            NEW_CONNTRACK_RETURN: "ctnetlink_new_conntrack" "return";
            OVERRUN_SK: "netlink_overrun" "sk";
        }
    };
}

macro_rules! rows {
    ($($global:ident: $function:literal $name:literal;)*) => {
        &[$(Argument {
            global: concat!("ARG_", stringify!($global)),
            function: $function,
            name: $name,
        },)*]
    };
}

/// Every argument that the programs of `rsct trace` use.
pub const ARGUMENTS: &[Argument] = for_each_argument!(rows);

/// The arguments that only the programs of causes use.
pub const CAUSE_ARGUMENTS: &[Argument] = for_each_cause_argument!(rows);
