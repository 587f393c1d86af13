//! The same questions put to the kernel the tests run on, where it shows its types.

use super::super::{BtfError, KernelTypes};

fn running() -> Option<KernelTypes> {
    match KernelTypes::open() {
        Ok(types) => Some(types),
        Err(BtfError::Absent { path }) => {
            eprintln!("skipped: there is no {}", path.display());
            None
        }
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn the_running_kernel_knows_its_packets() {
    let Some(types) = running() else { return };
    assert_eq!(types.field("sk_buff", "len").unwrap().size, 4);
    assert_eq!(types.struct_size("list_head").unwrap(), 16);
    assert_eq!(types.field("list_head", "prev").unwrap().offset, 8);
    let free = types.func("kfree").unwrap().unwrap();
    assert_eq!((free.param_index("object"), free.module), (Some(0), None));
    assert!(types.func("this_function_does_not_exist").unwrap().is_none());
}

#[test]
fn the_running_kernel_knows_its_connections() {
    let Some(types) = running() else { return };
    if !types.type_exists("nf_conn") {
        eprintln!("skipped: nf_conntrack is not loaded");
        return;
    }
    assert_eq!(types.field("sk_buff", "_nfct").unwrap().size, 8);
    assert_eq!(types.field("nf_conn", "status").unwrap().size, 8);
    assert_eq!(types.field("nf_conn", "timeout").unwrap().size, 4);
    assert_eq!(types.field("nf_conn", "proto.tcp.state").unwrap().size, 1);
    let tuples = types.field("nf_conn", "tuplehash").unwrap();
    assert_eq!(types.field("nf_conn", "tuplehash[0].tuple").unwrap().size, 40);
    let reply = types.field("nf_conn", "tuplehash[1].hnnode").unwrap();
    assert_eq!(reply.offset, tuples.offset + tuples.size / 2);
    assert_eq!(types.enum_value(None, "IPS_CONFIRMED_BIT").unwrap(), 3);
    assert_eq!(
        types
            .enum_value(Some("tcp_conntrack"), "TCP_CONNTRACK_ESTABLISHED")
            .unwrap(),
        3
    );
    let entry = types.func("nf_conntrack_in").unwrap().unwrap();
    assert_eq!(
        entry.to_string(),
        "nf_conntrack_in(sk_buff *skb, nf_hook_state *state) -> u32"
    );
}
