//! Explains why the kernel rejected a change: the meaning of an errno depends on the request.

use anyhow::anyhow;

use crate::{
    names::{proto, status},
    netlink::{Error, Socket, conntrack::Change, lookup, stats},
    outside, plural,
    render::words,
};

/// The entry of a change, for a sentence.
pub(super) fn entry(change: &Change<'_>) -> String {
    let mut text = Vec::new();
    if let Some(tuple) = change.orig.as_ref().or(change.reply.as_ref()) {
        match proto::name(tuple.protonum) {
            Some(name) => text.extend_from_slice(name.as_bytes()),
            None => text.extend_from_slice(format!("protocol {}", tuple.protonum).as_bytes()),
        }
        text.push(b' ');
        words::ends(&mut text, tuple);
    }
    if let Some(zone) = change.zone_number() {
        text.extend_from_slice(format!(" in zone {zone}").as_bytes());
    }
    String::from_utf8_lossy(&text).into_owned()
}

/// The error of a failed create, with the entry that conflicts with the new one.
pub(super) async fn of_new(socket: &mut Socket, error: Error, change: &Change<'_>) -> anyhow::Error {
    let doing = format!("creating the entry {}", entry(change));
    match error.errno() {
        Some(libc::EEXIST) => exists(socket, &doing, change).await,
        Some(libc::ENOMEM) => table_full(socket, &doing).await,
        _ => of_change(socket, error, change, &doing).await,
    }
}

/// The error of a failed update or delete.
pub(super) async fn of_change(
    socket: &mut Socket,
    error: Error,
    change: &Change<'_>,
    doing: &str,
) -> anyhow::Error {
    // A kernel without ctnetlink returns the same errno as one without a part of it.
    if let Error::NoCtnetlink { .. } = error
        && let Err(absent) = stats::table(socket).await
    {
        return absent.into();
    }
    if error.is_not_permitted() && change.timeout.is_some() && has_fixed_timeout(socket, change).await {
        return anyhow!(
            "{doing}: its timeout is fixed (FIXED_TIMEOUT), and the kernel does not change a fixed timeout"
        );
    }
    match error.errno() {
        Some(errno) if !error.is_not_permitted() => match meaning(errno, change) {
            Some(meaning) => anyhow!("{doing}: {meaning}"),
            None => anyhow::Error::from(error).context(doing.to_owned()),
        },
        _ => error.into(),
    }
}

/// The meaning of an errno for a change, if it is known.
pub(super) fn meaning(errno: i32, change: &Change<'_>) -> Option<String> {
    Some(match errno {
        libc::EEXIST => "it exists already".to_owned(),
        libc::ENOENT if change.master.is_some() => {
            "there is no entry with the tuple of --master, or no entry to change".to_owned()
        }
        libc::ENOENT => "there is no such entry".to_owned(),
        libc::ENOMEM => "the table is full (net.netfilter.nf_conntrack_max)".to_owned(),
        libc::ENOSPC if change.labels.is_some() => {
            "the entry cannot hold labels: no rule of the namespace used labels when it was created"
                .to_owned()
        }
        libc::EBUSY => {
            "the kernel clears no status bit, and only the kernel sets EXPECTED and DYING".to_owned()
        }
        libc::EOPNOTSUPP | libc::EAGAIN => {
            let mut causes = Vec::new();
            if change.zone_number().is_some() {
                causes.push("is built without zones (CONFIG_NF_CONNTRACK_ZONES)".to_owned());
            }
            if change.nat_src.is_some() || change.nat_dst.is_some() {
                causes.push("has no NAT (`modprobe nf_nat`)".to_owned());
            }
            if let Some(helper) = change.helper {
                let name = outside::shown(helper.name);
                causes.push(format!(
                    "knows no helper {name} for this protocol and family (`modprobe nf_conntrack_{name}`)"
                ));
            }
            if causes.is_empty() {
                return None;
            }
            format!("the kernel {}", causes.join(", or "))
        }
        libc::EINVAL => "the kernel rejects it as invalid".to_owned(),
        _ => return None,
    })
}

/// Returns whether the entry has FIXED_TIMEOUT: the kernel changes no such timeout (__nf_ct_change_timeout()).
async fn has_fixed_timeout(socket: &mut Socket, change: &Change<'_>) -> bool {
    let mut status = None;
    let looked = lookup::matching(socket, &key(change), |entry| status = entry.status).await;
    looked.is_ok() && status.is_some_and(|bits| bits & status::FIXED_TIMEOUT != 0)
}

/// The error when an entry has one of the two tuples already.
async fn exists(socket: &mut Socket, doing: &str, change: &Change<'_>) -> anyhow::Error {
    let by_orig = Change {
        reply: None,
        ..key(change)
    };
    match lookup::matching(socket, &by_orig, |_| {}).await {
        Ok(()) => {
            return anyhow!(
                "{doing}: it exists already; `rsct create --or-update` or `rsct update` changes it, `rsct delete` \
                 deletes it"
            );
        }
        Err(error) if error.errno() == Some(libc::ENOENT) => {}
        Err(error) => return error.into(),
    }
    let mut other = None;
    let by_reply = Change {
        orig: None,
        zone_orig: None,
        ..key(change)
    };
    let looked = lookup::matching(socket, &by_reply, |entry| {
        other = Some(self::entry(&Change {
            orig: Some(entry.orig),
            zone: entry.zone,
            ..Change::default()
        }));
    });
    match (looked.await, other) {
        (Ok(()), Some(other)) => anyhow!(
            "{doing}: its reply direction belongs to an existing entry, {other}; delete that one, or give another \
             --reply-src, --reply-dst or ports"
        ),
        _ => anyhow!("{doing}: one of its directions belongs to an existing entry"),
    }
}

fn key<'a>(change: &Change<'_>) -> Change<'a> {
    Change {
        orig: change.orig,
        zone_orig: change.zone_orig,
        reply: change.reply,
        zone_reply: change.zone_reply,
        zone: change.zone,
        ..Change::default()
    }
}

async fn table_full(socket: &mut Socket, doing: &str) -> anyhow::Error {
    match stats::table(socket).await {
        Ok(stats::Table {
            entries,
            max_entries: Some(max),
        }) if entries >= max => anyhow!(
            "{doing}: the table is full: {}, and net.netfilter.nf_conntrack_max is {max}; raise it, or delete entries",
            plural::count(entries, "entry", "entries")
        ),
        Ok(table) => anyhow!(
            "{doing}: the kernel has no memory for it; the table has {}, and net.netfilter.nf_conntrack_max of the \
             initial network namespace also applies",
            plural::count(table.entries, "entry", "entries")
        ),
        Err(error) => error.into(),
    }
}
