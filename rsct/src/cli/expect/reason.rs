//! Explains why the kernel did not create an expectation: it returns only an errno.

use crate::{
    netlink::{Error, Socket, expect::New, lookup},
    outside,
};

/// The name of the master's helper; the outer option is the master, the inner one its helper.
pub(super) async fn master(socket: &mut Socket, new: &New<'_>) -> Result<Option<Option<String>>, Error> {
    let mut helper = None;
    let found = lookup::entry(socket, &new.master, new.zone, |entry| {
        helper = entry.helper.map(|helper| outside::shown(helper.name));
    });
    Ok(found.await?.then_some(helper))
}

/// The meaning of the error.
pub(super) async fn explain(
    socket: &mut Socket,
    new: &New<'_>,
    requested_helper: Option<&str>,
    error: Error,
) -> anyhow::Error {
    let (src, dst) = (new.master.src_addr(), new.master.dst_addr());
    let number = new.master.protonum;
    let sentence = match error.errno() {
        Some(libc::ENOENT) => format!(
            "the table has no entry of protocol {number} from {src} to {dst} with these ports in zone {} to be its \
             master; `rsct list -s {src} -d {dst}` lists similar entries",
            new.zone
        ),
        Some(libc::EEXIST) => {
            "its tuple is expected already; `rsct expect delete` deletes that expectation".to_owned()
        }
        Some(libc::EALREADY) => "another connection has the same expectation".to_owned(),
        Some(libc::EBUSY) => {
            "it overlaps with an existing expectation; `rsct expect list` prints the masters".to_owned()
        }
        Some(libc::EMFILE) => {
            "the number of expectations has reached the limit of the helper's policy or of \
             net.netfilter.nf_conntrack_expect_max; `rsct expect list` prints them"
                .to_owned()
        }
        Some(libc::EOPNOTSUPP | libc::ESHUTDOWN | libc::EINVAL) => match master(socket, new).await {
            Ok(None) => return error.into(),
            Ok(Some(None)) => format!(
                "its master, the connection from {src} to {dst}, has no helper, but the kernel requires one; a rule such \
                 as `iptables -t raw -A PREROUTING … -j CT --helper NAME` assigns one to new connections"
            ),
            Ok(Some(Some(helper))) => match (error.errno(), new.class, requested_helper) {
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
