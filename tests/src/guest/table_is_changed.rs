//! rsct changes this kernel's table as `conntrack` does, saves and loads it; a full table is reported.

use std::process::Command;

use anyhow::Result;

use crate::{
    native::{
        create_as_conntrack, delete_update_flush,
        namespace::{Namespace, succeeds},
        save_and_load,
    },
    sentence::one_sentence,
};

const MAX: &str = "net.netfilter.nf_conntrack_max";

pub fn run() -> Result<()> {
    create_as_conntrack::agree(&Namespace::new("create")?)?;
    save_and_load::agree(&Namespace::new("save")?)?;
    delete_update_flush::agree(&Namespace::new("delete")?)?;
    full(&Namespace::new("full")?)
}

/// One entry where one is allowed: there is no space for another.
fn full(namespace: &Namespace) -> Result<()> {
    let create = |port: &str| {
        let options = "create -p udp -s 10.0.0.1 -d 10.0.1.1 -t 300 -u SEEN_REPLY,ASSURED --dport 9 --sport";
        let mut args: Vec<&str> = options.split(' ').collect();
        args.push(port);
        namespace.rsct(&args)
    };
    succeeds(&mut create("1"))?;
    let before = succeeds(Command::new("sysctl").args(["-n", MAX]))?;
    succeeds(Command::new("sysctl").args(["-qw", &format!("{MAX}=1")]))?;
    let said = one_sentence(
        &mut create("2"),
        1,
        "the table is full: 1 entry, and net.netfilter.nf_conntrack_max is 1",
    );
    succeeds(Command::new("sysctl").args(["-qw", &format!("{MAX}={}", before.trim())]))?;
    said
}
