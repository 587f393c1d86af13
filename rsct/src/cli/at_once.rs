//! Deletes all entries that match a filter with one request for each address family: the kernel walks its table by itself,
//! and no entry is copied to user space.
//!
//! The kernel does not return the number of deleted entries; rsct prints the entry count before and after.

use std::ops::ControlFlow;

use crate::{
    filter::{Filter, Plan},
    netlink::{
        Error, Socket, change,
        conntrack::{DumpFilter, Entry, TupleParts},
        dump, stats,
    },
};

/// Outcome of the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AtOnce {
    /// The kernel cannot apply all of the filter, or is older than Linux 6.11.
    Impossible,
    /// No entry matched, and no request was sent.
    NoMatch,
    /// The kernel deleted the entries.
    Done {
        /// The kernel's entry count before the request.
        before: u32,
        /// The entry count after it.
        after: u32,
    },
}

/// Deletes the entries that match the filter, if the kernel can.
pub(super) async fn delete(socket: &mut Socket, filter: &Filter, plan: &Plan) -> Result<AtOnce, Error> {
    if !plan.is_all_in_kernel() || !plan.queries.iter().all(is_safe) {
        return Ok(AtOnce::Impossible);
    }
    let before = stats::table(socket).await?.entries;
    if !any_matches(socket, filter, plan).await? {
        return Ok(AtOnce::NoMatch);
    }
    for query in &plan.queries {
        match change::flush(socket, query).await {
            Ok(()) => {}
            Err(error) if is_unknown(&error) => return Ok(AtOnce::Impossible),
            Err(error) => return Err(error),
        }
    }
    let after = stats::table(socket).await?.entries;
    Ok(AtOnce::Done { before, after })
}

/// Returns whether an older kernel, which ignores the filter, deletes nothing. Such a kernel treats the tuple as complete:
/// it must be present, and must not have both addresses of a direction, so that the lookup fails.
fn is_safe(query: &DumpFilter) -> bool {
    let whole = TupleParts::SRC.with(TupleParts::DST);
    query.has_tuples() && !query.orig.parts.has(whole) && !query.reply.parts.has(whole)
}

/// Returns whether the kernel ignored the filter and treated the tuple as a complete one.
fn is_unknown(error: &Error) -> bool {
    matches!(
        error.errno(),
        Some(libc::EINVAL | libc::EOPNOTSUPP | libc::ENOENT | libc::ERANGE)
    )
}

/// Reads the table up to the first entry that matches.
async fn any_matches(socket: &Socket, filter: &Filter, plan: &Plan) -> Result<bool, Error> {
    for query in &plan.queries {
        let query = dump::Query {
            filter: *query,
            ..dump::Query::default()
        };
        let mut first = First { filter, found: false };
        // On its own socket: an unfinished dump makes a socket useless.
        dump::entries(&mut socket.open_sibling()?, &query, &mut first).await?;
        if first.found {
            return Ok(true);
        }
    }
    Ok(false)
}

struct First<'a> {
    filter: &'a Filter,
    found: bool,
}

impl dump::Sink for First<'_> {
    fn entry(&mut self, entry: &Entry<'_>) -> ControlFlow<()> {
        self.found = self.filter.meets(entry);
        if self.found {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }

    fn restart(&mut self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filter::Typed;

    fn safe(typed: Typed<'_>) -> bool {
        let plan = typed.filter().unwrap().plan();
        plan.is_all_in_kernel() && plan.queries.iter().all(is_safe)
    }

    #[test]
    fn an_older_kernel_must_not_find_an_entry_by_the_filter() {
        let (src, dst) = (Some("10.0.0.1"), Some("10.0.0.2"));
        for typed in [
            Typed {
                proto: Some("udp"),
                ..Typed::default()
            },
            Typed {
                proto: Some("udp"),
                zone: Some("3"),
                ..Typed::default()
            },
            Typed {
                proto: Some("udp"),
                src,
                dport: Some("53"),
                ..Typed::default()
            },
            Typed {
                src,
                reply_src: dst,
                ..Typed::default()
            },
        ] {
            assert!(safe(typed), "{typed:?}");
        }
        for typed in [
            Typed {
                src,
                dst,
                ..Typed::default()
            },
            Typed {
                reply_src: src,
                reply_dst: dst,
                proto: Some("50"),
                ..Typed::default()
            },
            // Without a tuple an older kernel would delete every entry.
            Typed {
                status: Some("ASSURED"),
                ..Typed::default()
            },
            Typed {
                family: Some("ipv4"),
                ..Typed::default()
            },
            // rsct has to apply a part of the filter.
            Typed {
                proto: Some("udp"),
                label: Some("3"),
                ..Typed::default()
            },
            Typed {
                zone: Some("3"),
                ..Typed::default()
            },
            Typed {
                proto: Some("udp"),
                zone: Some("0"),
                ..Typed::default()
            },
            Typed {
                src: Some("2001:db8::1"),
                ..Typed::default()
            },
        ] {
            assert!(!safe(typed), "{typed:?}");
        }
    }
}
