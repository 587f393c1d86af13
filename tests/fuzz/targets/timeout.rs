//! A message about a timeout policy or a protocol's defaults: read, and shown as nfct shows it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rsct::internals::{netlink::timeout::Policy, render::nfct};

fuzz_target!(|payload: &[u8]| {
    let Ok(policy) = Policy::parse(payload) else {
        return;
    };
    let mut out = Vec::new();
    nfct::policy(&mut out, &policy);
    assert!(out.ends_with(b"};\n"));
    let states = nfct::states(policy.timeouts.l4proto);
    let known = states
        .iter()
        .any(|state| policy.timeouts.seconds(state.attribute).is_some());
    let name = policy.name.unwrap_or_default();
    let of_name = name.iter().filter(|byte| **byte == b'\n').count();
    let lines = out.iter().filter(|byte| **byte == b'\n').count() - of_name;
    // The name's line, the protocols', the end's; each state's and the two around them.
    let others = if known { states.len() + 2 } else { 0 };
    assert!(
        [3, 4].contains(&(lines - others)),
        "{}",
        String::from_utf8_lossy(&out)
    );
});
