//! Malformed BTF: the reader returns a value or an error and never panics.

use proptest::prelude::*;

use super::super::{BtfError, KernelTypes};
use super::builder::Builder;
use super::kernel;

/// Calls every lookup.
fn look_everything_up(types: &KernelTypes) {
    let containers = ["sk_buff", "nf_conn", "flags", "possible_net_t", "tuple", "loop"];
    let paths = [
        "_nfct",
        "ct_net.net",
        "tuplehash[1].tuple.dst",
        "proto.tcp.state",
        "across",
        "x",
    ];
    for container in containers {
        let _ = types.struct_size(container);
        for path in paths {
            let _ = types.field(container, path);
        }
    }
    for variant in ["BELOW", "FAR", "IP_CT_NEW"] {
        let _ = (
            types.enum_value(None, variant),
            types.enum_value(Some("wide"), variant),
        );
    }
    for func in ["nf_ct_delete", "nf_ct_l4proto_log_invalid", "kfree_skb"] {
        let _ = types.func(func).map(|func| func.map(|func| func.to_string()));
    }
}

#[test]
fn truncated_anywhere() {
    let (base, module) = kernel();
    let (base, module) = (base.build(), module.build());
    for length in 0..base.len() {
        assert!(
            KernelTypes::from_bytes(base[..length].to_vec(), []).is_err(),
            "{length}"
        );
    }
    for length in 0..module.len() {
        let module = ("nf_conntrack", module[..length].to_vec());
        assert!(
            KernelTypes::from_bytes(base.clone(), [module]).is_err(),
            "{length}"
        );
    }
}

#[test]
fn types_that_contain_themselves() {
    let mut base = Builder::base();
    // A struct of two anonymous copies of itself, a typedef and an array of themselves.
    base.structure("loop", 8, &[("", 1, 0), ("", 1, 4)]);
    base.typedef("turn", 2);
    base.array(3, 2);
    base.structure("holder", 8, &[("turn", 2, 0), ("array", 3, 0)]);
    let types = KernelTypes::from_bytes(base.build(), []).unwrap();
    assert!(matches!(
        types.field("loop", "x"),
        Err(BtfError::Malformed { .. })
    ));
    assert!(matches!(
        types.struct_size("turn"),
        Err(BtfError::Malformed { .. })
    ));
    assert!(matches!(
        types.field("holder", "turn"),
        Err(BtfError::Malformed { .. })
    ));
    assert!(matches!(
        types.field("holder", "array"),
        Err(BtfError::Malformed { .. })
    ));
    assert!(types.field("holder", "array.x").is_err());
}

#[test]
fn an_unknown_kind_is_named() {
    let mut base = Builder::base();
    base.raw("future", 99 << 24, 0, &[]);
    let error = KernelTypes::from_bytes(base.build(), [])
        .err()
        .unwrap()
        .to_string();
    assert!(
        error.contains("vmlinux") && error.contains("unknown kind 99"),
        "{error}"
    );
}

proptest! {
    #[test]
    fn some_bytes_changed(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8)) {
        let (base, module) = kernel();
        let (mut base, mut module) = (base.build(), module.build());
        for (index, value) in changes {
            let at = index.index(base.len() + module.len());
            match base.len() {
                length if at < length => base[at] = value,
                length => module[at - length] = value,
            }
        }
        if let Ok(types) = KernelTypes::from_bytes(base, [("nf_conntrack", module)]) {
            look_everything_up(&types);
        }
    }

    #[test]
    fn some_u32s_changed(changes in prop::collection::vec((any::<prop::sample::Index>(), 0_u32..40), 1..8)) {
        let (base, module) = kernel();
        let (mut base, mut module) = (base.build(), module.build());
        for (index, value) in changes {
            let at = index.index((base.len() + module.len()) / 4) * 4;
            let (bytes, at) = if at + 4 <= base.len() { (&mut base, at) } else { (&mut module, at.saturating_sub(200)) };
            if let Some(word) = bytes.get_mut(at..at + 4) {
                word.copy_from_slice(&value.to_ne_bytes());
            }
        }
        if let Ok(types) = KernelTypes::from_bytes(base, [("nf_conntrack", module)]) {
            look_everything_up(&types);
        }
    }

    #[test]
    fn any_bytes(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = KernelTypes::from_bytes(bytes, []);
    }
}
