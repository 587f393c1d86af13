//! The kernel's fields that the programs read: one list for the programs' offsets, the resolver and `rsct doctor`.

/// The offset of a field that this kernel does not have.
pub const ABSENT: u64 = u64::MAX;

/// Whether tracing needs a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Without it, no record of a packet would be right.
    Required,
    /// Some kernels are built without it; the values read from it are reported as absent.
    Optional,
}

/// A field of a kernel struct, by name.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// The program's global that receives the offset.
    pub global: &'static str,
    /// The struct's name.
    pub of: &'static str,
    /// The path to the member, in C syntax.
    pub path: &'static str,
    /// The size the programs read.
    pub bytes: u32,
    /// Required or optional.
    pub need: Need,
}

/// Calls `$list!` with every field that the programs of `rsct trace` read: the global, struct, member, size and need.
#[macro_export]
macro_rules! for_each_kernel_field {
    ($list:ident) => {
        $list! {
            SK_BUFF_NFCT: "sk_buff" "_nfct" 8 Required;
            SK_BUFF_LEN: "sk_buff" "len" 4 Required;
            SK_BUFF_DATA_LEN: "sk_buff" "data_len" 4 Required;
            SK_BUFF_DATA: "sk_buff" "data" 8 Required;
            SK_BUFF_HEAD: "sk_buff" "head" 8 Required;
            SK_BUFF_NETWORK_HEADER: "sk_buff" "network_header" 2 Required;
            NF_CONN_TIMEOUT: "nf_conn" "timeout" 4 Required;
            NF_CONN_TUPLEHASH: "nf_conn" "tuplehash" 112 Required;
            NF_CONN_STATUS: "nf_conn" "status" 8 Required;
            NF_CONN_NET: "nf_conn" "ct_net.net" 8 Optional;
            NF_CONN_ZONE: "nf_conn" "zone.id" 2 Optional;
            NF_CONN_MARK: "nf_conn" "mark" 4 Optional;
            NF_CONN_TCP_STATE: "nf_conn" "proto.tcp.state" 1 Required;
            NF_CONN_SCTP_STATE: "nf_conn" "proto.sctp.state" 4 Optional;
            NF_CONN_DCCP_STATE: "nf_conn" "proto.dccp.state" 1 Optional;
            NF_CONN_TCP_SEEN: "nf_conn" "proto.tcp.seen" 40 Optional;
            NF_CONN_TCP_FLAGS_ORIG: "nf_conn" "proto.tcp.seen[0].flags" 1 Optional;
            NF_CONN_TCP_FLAGS_REPLY: "nf_conn" "proto.tcp.seen[1].flags" 1 Optional;
            NF_CONN_TCP_RETRANS: "nf_conn" "proto.tcp.retrans" 1 Optional;
            NF_CONN_TCP_LAST_WIN: "nf_conn" "proto.tcp.last_win" 2 Optional;
            NF_CONN_EXT: "nf_conn" "ext" 8 Optional;
            NF_CONN_GENERAL: "nf_conn" "ct_general" 4 Required;
            TUPLE_HASH_TUPLE: "nf_conntrack_tuple_hash" "tuple" 40 Required;
            CONN_TIMEOUT_POLICY: "nf_conn_timeout" "timeout" 8 Optional;
            POLICY_L3NUM: "nf_ct_timeout" "l3num" 2 Optional;
            POLICY_L4PROTO: "nf_ct_timeout" "l4proto" 8 Optional;
            POLICY_DATA: "nf_ct_timeout" "data" 0 Optional;
            L4PROTO_NUMBER: "nf_conntrack_l4proto" "l4proto" 1 Optional;
            NET_INUM: "net" "ns.inum" 4 Required;
            NET_TCP_MAX_RETRANS: "net" "ct.nf_ct_proto.tcp.tcp_max_retrans" 1 Optional;
            HOOK_STATE_HOOK: "nf_hook_state" "hook" 1 Required;
            HOOK_STATE_PF: "nf_hook_state" "pf" 1 Required;
            HOOK_STATE_IN: "nf_hook_state" "in" 8 Required;
            HOOK_STATE_OUT: "nf_hook_state" "out" 8 Required;
            HOOK_STATE_NET: "nf_hook_state" "net" 8 Required;
            NET_DEVICE_IFINDEX: "net_device" "ifindex" 4 Required;
            ZONE_ID: "nf_conntrack_zone" "id" 2 Required;
            TASK_STACK: "task_struct" "stack" 8 Optional;
            TASK_PID: "task_struct" "pid" 4 Required;
            TASK_TGID: "task_struct" "tgid" 4 Required;
            TASK_COMM: "task_struct" "comm" 16 Required;
        }
    };
}

/// The program's global for the offset of `offset[NF_CT_EXT_TIMEOUT]` in `struct nf_ct_ext`: that index depends on the
/// kernel's configuration.
pub const EXT_TIMEOUT: &str = "EXT_TIMEOUT";

/// The same for the fields that only the programs of causes read.
#[macro_export]
macro_rules! for_each_cause_field {
    ($list:ident) => {
        $list! {
            TCP_ORIG_TD_END: "nf_conn" "proto.tcp.seen[0].td_end" 4 Optional;
            TCP_ORIG_TD_MAXEND: "nf_conn" "proto.tcp.seen[0].td_maxend" 4 Optional;
            TCP_ORIG_TD_MAXWIN: "nf_conn" "proto.tcp.seen[0].td_maxwin" 4 Optional;
            TCP_REPLY_TD_END: "nf_conn" "proto.tcp.seen[1].td_end" 4 Optional;
            VA_FORMAT_FMT: "va_format" "fmt" 8 Optional;
            NAT_RANGE_FLAGS: "nf_nat_range2" "flags" 4 Optional;
            NAT_RANGE_MIN: "nf_nat_range2" "min_addr" 16 Optional;
            NAT_RANGE_MAX: "nf_nat_range2" "max_addr" 16 Optional;
            NAT_RANGE_MIN_PROTO: "nf_nat_range2" "min_proto" 2 Optional;
            NAT_RANGE_MAX_PROTO: "nf_nat_range2" "max_proto" 2 Optional;
            CT_EVENT_CT: "nf_ct_event" "ct" 8 Optional;
            NETLINK_SOCK_PORTID: "netlink_sock" "portid" 4 Required;
            NETLINK_SOCK_FLAGS: "netlink_sock" "flags" 8 Required;
            SK_BUFF_DEV: "sk_buff" "dev" 8 Required;
            NFNL_INFO_NET: "nfnl_info" "net" 8 Optional;
        }
    };
}

macro_rules! rows {
    ($($global:ident: $of:literal $path:literal $bytes:literal $need:ident;)*) => {
        &[$(Field {
            global: stringify!($global),
            of: $of,
            path: $path,
            bytes: $bytes,
            need: Need::$need,
        },)*]
    };
}

/// Every field that the programs of `rsct trace` read.
pub const FIELDS: &[Field] = for_each_kernel_field!(rows);

/// The fields that only the programs of causes read.
pub const CAUSE_FIELDS: &[Field] = for_each_cause_field!(rows);

/// A member of `struct nf_conntrack_tuple` and its offset in [`crate::Tuple`].
pub const TUPLE_LAYOUT: &[(&str, u32)] = &[
    ("src.u3", 0),
    ("src.u", 16),
    ("src.l3num", 18),
    ("dst.u3", 20),
    ("dst.u", 36),
    ("dst.protonum", 38),
    ("dst.dir", 39),
];
