//! rsct names the missing capabilities to a user who may not trace.

use std::{os::unix::process::CommandExt as _, process::Command};

use anyhow::Result;

use crate::{
    native::namespace::{rsct, succeeds},
    sentence::one_sentence,
};

pub fn run() -> Result<()> {
    succeeds(Command::new("modprobe").args(["-a", "nf_conntrack", "nf_conntrack_netlink"]))?;
    const NOBODY: u32 = 65534;
    for (command, missing) in [("trace", "CAP_BPF"), ("list", "CAP_NET_ADMIN")] {
        let mut nobody = Command::new(rsct());
        nobody.arg(command).uid(NOBODY).gid(NOBODY);
        one_sentence(&mut nobody, 1, missing)?;
    }
    Ok(())
}
