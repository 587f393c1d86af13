//! Namespaces without events: with `nf_conntrack_events=0` a watch prints nothing.

use std::os::fd::AsFd as _;

use crate::{
    kernel::{conntrack, netns::Netns, sysctl::Where},
    render::watch_json,
};

/// Reports if the kernel sends no events in `netns`. With `named`, the message names the namespace.
pub(super) fn report(out: &mut Vec<u8>, netns: &Netns, named: bool, json: bool) {
    // setns() needs privileges; a watch of the current namespace does not.
    let setting = match named {
        true => inside(netns),
        false => conntrack::sysctl("nf_conntrack_events"),
    };
    if setting != Some(0) {
        return;
    }
    let place = match named {
        true => format!("in network namespace {}: ", netns.name),
        false => String::new(),
    };
    message!(
        "{place}net.netfilter.nf_conntrack_events is 0: the kernel sends no events for entries made from now on \
         (`rsct sysctl nf_conntrack_events=1` enables them)"
    );
    if json {
        watch_json::no_events(out, named.then_some(netns));
    }
}

fn inside(netns: &Netns) -> Option<u32> {
    let names = ["net.netfilter.nf_conntrack_events".to_owned()];
    let setting = Where::Inside(netns.as_fd()).read(&names).ok()?.pop()??;
    setting.value.ok()?.parse().ok()
}
