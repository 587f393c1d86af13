//! A message about a helper in user space: read, and shown as nfct shows it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rsct::internals::{netlink::helper::Helper, render::nfct};

fuzz_target!(|payload: &[u8]| {
    let Ok(helper) = Helper::parse(payload) else {
        return;
    };
    assert!(!helper.name.contains(&0));
    let mut out = Vec::new();
    nfct::helper(&mut out, &helper);
    let name = [b"{\n\t.name = ", &helper.name[..], b",\n"].concat();
    assert!(out.starts_with(&name));
    assert!(out.ends_with(b"abled,\n};\n"));
});
