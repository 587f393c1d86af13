//! Why the kernel doesn't make an expectation: it has a number for it, and people want a reason.

use crate::{
    netlink::{Error, Socket, expect::New, lookup},
    outside,
};

/// The name of the master's helper, where there is a master, and where it has one.
pub(super) async fn master(socket: &mut Socket, new: &New<'_>) -> Result<Option<Option<String>>, Error> {
    let mut helper = None;
    let found = lookup::entry(socket, &new.master, new.zone, |entry| {
        helper = entry.helper.map(|helper| outside::shown(helper.name));
    });
    Ok(found.await?.then_some(helper))
}

/// What a refusal means here.
pub(super) async fn why(
    socket: &mut Socket,
    new: &New<'_>,
    asked_for: Option<&str>,
    error: Error,
) -> anyhow::Error {
    let (src, dst) = (new.master.src_addr(), new.master.dst_addr());
    let number = new.master.protonum;
    let sentence = match error.errno() {
        Some(libc::ENOENT) => format!(
            "the table has no entry of protocol {number} from {src} to {dst} with these ports in zone {} to be its \
             master; `rsct list -s {src} -d {dst}` shows what is near it",
            new.zone
        ),
        Some(libc::EEXIST) => {
            "its tuple is expected already; `rsct expect delete` takes away what is there".to_owned()
        }
        Some(libc::EALREADY) => "another connection expects the same already".to_owned(),
        Some(libc::EBUSY) => {
            "part of what it would expect is expected already; `rsct expect list` shows by whom".to_owned()
        }
        Some(libc::EMFILE) => "there are as many expectations as the helper's policy or \
             net.netfilter.nf_conntrack_expect_max allows; `rsct expect list` shows them"
            .to_owned(),
        Some(libc::EOPNOTSUPP | libc::ESHUTDOWN | libc::EINVAL) => match master(socket, new).await {
            Ok(None) => return error.into(),
            Ok(Some(None)) => format!(
                "its master, the connection from {src} to {dst}, has no helper, which the kernel asks for; a rule such \
                 as `iptables -t raw -A PREROUTING … -j CT --helper NAME` gives new connections one"
            ),
            Ok(Some(Some(helper))) => match (error.errno(), new.class, asked_for) {
                (Some(libc::EINVAL), Some(class), _) => {
                    format!("--class {class}: the helper {helper} has no such class")
                }
                (Some(libc::EOPNOTSUPP), _, Some(name)) => format!(
                    "--helper {name}: the kernel has no helper of this name for protocol {number}; load its module, \
                     such as with `modprobe nf_conntrack_{name}`"
                ),
                _ => return error.into(),
            },
            Err(error) => return error.into(),
        },
        _ => return error.into(),
    };
    anyhow::anyhow!("creating an expectation: {sentence}")
}
