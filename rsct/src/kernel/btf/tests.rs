mod builder;
mod hostile;

use super::{
    BtfError, Field, KernelTypes,
    field::Bits,
    func::{Param, Value},
};
use builder::Builder;

fn field(offset: u32, size: u32) -> Field {
    Field {
        offset,
        size,
        bits: None,
    }
}

fn open(base: &Builder, modules: &[(&'static str, &Builder)]) -> KernelTypes {
    let modules = modules.iter().map(|(name, builder)| (*name, builder.build()));
    KernelTypes::from_bytes(base.build(), modules).unwrap()
}

/// A base with a packet and a module with a connection, each small but with the structure of the real one.
fn kernel() -> (Builder, Builder) {
    let mut base = Builder::base();
    let u8_ = base.int("unsigned char", 1, false);
    let u32_ = base.int("unsigned int", 4, false);
    let long = base.int("long unsigned int", 8, false);
    let net = base.structure("net", 64, &[("count", u32_, 0)]);
    let net_pointer = base.ptr(net);
    let possible_net = base.structure("", 8, &[("net", net_pointer, 0)]);
    base.typedef("possible_net_t", possible_net);
    let list = base.structure("", 16, &[("next", long, 0), ("prev", long, 8)]);
    let first = base.union("", 16, &[("", list), ("list", list)]);
    let nfct = base.union("", 8, &[("_sk_redir", long), ("_nfct", long)]);
    let skb = base.structure(
        "sk_buff",
        64,
        &[("", first, 0), ("len", u32_, 32), ("", nfct, 40)],
    );
    let skb_pointer = base.ptr(skb);
    base.bitfields(
        "flags",
        8,
        &[
            ("plain", u32_, 0, 0),
            ("low", u8_, 32, 3),
            ("", u8_, 35, 5),
            ("high", u8_, 45, 1),
            ("across", u32_, 46, 6),
        ],
    );
    base.enumeration("ip_conntrack_info", &[("IP_CT_ESTABLISHED", 0), ("IP_CT_NEW", 2)]);
    base.enumeration("", &[("BELOW", -2)]);
    base.enum64("wide", &[("FAR", 1 << 40)]);
    base.func("kfree_skb", 0, &[("skb", skb_pointer)]);

    let mut module = Builder::on(&base);
    let state = module.structure("ip_ct_tcp", 16, &[("seen", long, 0), ("state", u8_, 8)]);
    let proto = module.union("nf_conntrack_proto", 16, &[("tcp", state)]);
    let tuple = module.structure("tuple", 40, &[("src", long, 0), ("dst", long, 20)]);
    let hash = module.structure("hash", 56, &[("node", long, 0), ("tuple", tuple, 16)]);
    let hashes = module.array(hash, 2);
    let hashes = module.constant(hashes);
    // Id 7 of the base is possible_net_t.
    let members = &[
        ("status", long, 0),
        ("ct_net", 7, 8),
        ("tuplehash", hashes, 16),
        ("proto", proto, 128),
    ];
    let ct = module.structure("nf_conn", 144, members);
    let ct_pointer = module.ptr(ct);
    module.func(
        "nf_ct_delete",
        u8_,
        &[("ct", ct_pointer), ("portid", u32_), ("report", u32_)],
    );
    module.func(
        "nf_ct_l4proto_log_invalid",
        0,
        &[("skb", skb_pointer), ("fmt", long), ("", 0)],
    );
    (base, module)
}

#[test]
fn fields_are_found_through_anonymous_members() {
    let (base, module) = kernel();
    let types = open(&base, &[("nf_conntrack", &module)]);
    assert_eq!(types.field("sk_buff", "_nfct").unwrap(), field(40, 8));
    assert_eq!(types.field("sk_buff", "prev").unwrap(), field(8, 8));
    assert_eq!(types.field("sk_buff", "list.prev").unwrap(), field(8, 8));
    assert_eq!(types.field("sk_buff", "len").unwrap(), field(32, 4));
    assert_eq!(types.struct_size("sk_buff").unwrap(), 64);
}

#[test]
fn a_modules_types_reach_into_vmlinux() {
    let (base, module) = kernel();
    let types = open(&base, &[("nf_conntrack", &module)]);
    assert_eq!(types.field("nf_conn", "status").unwrap(), field(0, 8));
    assert_eq!(types.field("nf_conn", "ct_net.net").unwrap(), field(8, 8));
    assert_eq!(types.field("possible_net_t", "net").unwrap(), field(0, 8));
    assert_eq!(types.struct_size("possible_net_t").unwrap(), 8);
    assert_eq!(types.field("nf_conn", "proto.tcp.state").unwrap(), field(136, 1));
    assert!(types.has_module("nf_conntrack") && !types.has_module("nf_nat"));
}

#[test]
fn arrays_are_walked_by_index() {
    let (base, module) = kernel();
    let types = open(&base, &[("nf_conntrack", &module)]);
    assert_eq!(types.field("nf_conn", "tuplehash").unwrap(), field(16, 112));
    assert_eq!(types.field("nf_conn", "tuplehash.tuple").unwrap(), field(32, 40));
    assert_eq!(
        types.field("nf_conn", "tuplehash[1].tuple.dst").unwrap(),
        field(16 + 56 + 16 + 20, 8)
    );
    assert!(matches!(
        types.field("nf_conn", "tuplehash[2].tuple"),
        Err(BtfError::NoField { .. })
    ));
    for path in ["", "tuplehash[", "tuplehash[x]", "proto..state", "[1]"] {
        assert!(
            matches!(types.field("nf_conn", path), Err(BtfError::BadPath { .. })),
            "{path}"
        );
    }
}

#[test]
fn bitfields_have_a_load_unit() {
    let (base, _) = kernel();
    let types = open(&base, &[]);
    let bits = |offset, size, shift, width| Field {
        offset,
        size,
        bits: Some(Bits { shift, width }),
    };
    assert_eq!(types.field("flags", "plain").unwrap(), field(0, 4));
    assert_eq!(types.field("flags", "low").unwrap(), bits(4, 1, 0, 3));
    assert_eq!(types.field("flags", "high").unwrap(), bits(5, 1, 5, 1));
    assert_eq!(types.field("flags", "across").unwrap(), bits(4, 4, 14, 6));
    assert!(matches!(
        types.field("flags", "low.more"),
        Err(BtfError::NoField { .. })
    ));
}

#[test]
fn missing_types_and_fields_are_named() {
    let (base, module) = kernel();
    let types = open(&base, &[("nf_conntrack", &module)]);
    let error = types
        .field("nf_conn", "proto.tcp.window")
        .unwrap_err()
        .to_string();
    assert_eq!(
        error,
        "this kernel's `nf_conn` has no field `proto.tcp.window` (`window` does not exist)"
    );
    let error = types.field("nf_con", "status").unwrap_err().to_string();
    assert_eq!(error, "this kernel has no type `nf_con`; is nf_conntrack loaded?");
}

#[test]
fn enum_values_are_found_with_and_without_the_enums_name() {
    let (base, module) = kernel();
    let types = open(&base, &[("nf_conntrack", &module)]);
    assert_eq!(
        types.enum_value(Some("ip_conntrack_info"), "IP_CT_NEW").unwrap(),
        2
    );
    assert_eq!(types.enum_value(None, "IP_CT_NEW").unwrap(), 2);
    assert_eq!(types.enum_value(None, "BELOW").unwrap(), -2);
    assert_eq!(types.enum_value(Some("wide"), "FAR").unwrap(), 1 << 40);
    let error = types.enum_value(Some("wide"), "BELOW").unwrap_err().to_string();
    assert_eq!(error, "this kernel has no value `BELOW` in `enum wide`");
}

#[test]
fn functions_have_module_and_signature() {
    let (base, module) = kernel();
    let types = open(&base, &[("nf_conntrack", &module)]);
    let delete = types.func("nf_ct_delete").unwrap().unwrap();
    assert_eq!(
        delete.to_string(),
        "nf_ct_delete(nf_conn *ct, u32 portid, u32 report) -> u8"
    );
    assert_eq!(delete.module.as_deref(), Some("nf_conntrack"));
    assert_eq!(delete.param_index("report"), Some(2));
    assert_eq!(delete.param_index("skb"), None);
    assert_eq!(
        delete.returns,
        Value::Int {
            size: 1,
            signed: false
        }
    );
    let pointer = Value::Pointer(Some("nf_conn".to_owned()));
    assert_eq!(
        delete.params[0],
        Param {
            name: "ct".to_owned(),
            value: pointer
        }
    );

    let log = types.func("nf_ct_l4proto_log_invalid").unwrap().unwrap();
    assert_eq!(
        log.to_string(),
        "nf_ct_l4proto_log_invalid(sk_buff *skb, u64 fmt, ...)"
    );
    assert!(log.variadic && !delete.variadic);
    // The prototype and the function are the module's last two types.
    assert_eq!(log.type_id, delete.type_id + 2);

    let free = types.func("kfree_skb").unwrap().unwrap();
    assert_eq!((free.module, free.returns), (None, Value::Void));
    assert_eq!(types.func("init_conntrack").unwrap(), None);
}

#[test]
fn differing_copies_are_an_error() {
    let mut base = Builder::base();
    let u32_ = base.int("unsigned int", 4, false);
    let mut module = Builder::on(&base);
    module.structure("nf_conn", 16, &[("status", u32_, 8), ("mark", u32_, 12)]);
    module.structure("nf_conn", 16, &[("status", u32_, 8), ("mark", u32_, 4)]);
    module.structure("nf_conn", 16, &[("status", u32_, 8)]);
    let types = open(&base, &[("nf_conntrack", &module)]);
    assert_eq!(types.field("nf_conn", "status").unwrap(), field(8, 4));
    assert_eq!(types.struct_size("nf_conn").unwrap(), 16);
    let error = types.field("nf_conn", "mark").unwrap_err().to_string();
    assert_eq!(
        error,
        "the BTF of nf_conntrack has 3 different descriptions of `nf_conn.mark`, so rsct cannot use it"
    );
    assert!(matches!(
        types.field("nf_conn", "gone"),
        Err(BtfError::NoField { .. })
    ));
}

#[test]
fn modules_are_searched_before_vmlinux() {
    let mut base = Builder::base();
    let u32_ = base.int("unsigned int", 4, false);
    base.structure("nf_conn", 8, &[("status", u32_, 4)]);
    let mut module = Builder::on(&base);
    module.structure("nf_conn", 16, &[("status", u32_, 8)]);
    assert_eq!(
        open(&base, &[("nf_conntrack", &module)])
            .field("nf_conn", "status")
            .unwrap(),
        field(8, 4)
    );
    assert_eq!(open(&base, &[]).field("nf_conn", "status").unwrap(), field(4, 4));
}

#[test]
fn a_longer_header_is_skipped() {
    let (base, _) = kernel();
    let types = KernelTypes::from_bytes(base.build_with_header(40), []).unwrap();
    assert_eq!(types.field("sk_buff", "_nfct").unwrap(), field(40, 8));
}

#[test]
fn missing_conntrack_types_have_one_cause() {
    use super::missing_types;
    assert!(missing_types(true, true, true).is_none());
    // Not loaded: the code that attaches reports it.
    assert!(missing_types(false, true, false).is_none());
    let text = |has_sysfs, is_module| missing_types(false, has_sysfs, is_module).unwrap().to_string();
    assert!(text(false, true).contains("/sys is not mounted"));
    assert!(text(true, true).contains("CONFIG_DEBUG_INFO_BTF_MODULES"));
}

#[test]
fn a_struct_of_vmlinux_is_found_if_the_module_describes_the_same() {
    let mut base = Builder::base();
    let long = base.int("long unsigned int", 8, false);
    let skb = base.structure("sk_buff", 64, &[("len", long, 32)]);
    let alike = base.structure("nf_conn", 16, &[("status", long, 8)]);
    let pointer = base.ptr(skb);
    base.func("bpf_rdonly_cast", 0, &[("obj", pointer)]);
    let described = |at| {
        let mut module = Builder::on(&base);
        module.structure("nf_conn", 16, &[("status", long, at)]);
        open(&base, &[("nf_conntrack", &module)])
    };
    let [same, other] = [described(8), described(0)];
    assert_eq!(same.vmlinux_struct("nf_conn", &["status"]), Some(alike));
    assert_eq!(other.vmlinux_struct("nf_conn", &["status"]), None);
    assert_eq!(same.vmlinux_struct("nf_conn", &["mark"]), None);
    assert_eq!(same.vmlinux_struct("sk_buff", &["len"]), Some(skb));
    assert!(same.vmlinux_func("bpf_rdonly_cast").is_some());
    assert!(same.vmlinux_func("nf_conn").is_none());
}
