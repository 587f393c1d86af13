//! Deleting all that meets a filter with one request for each address family, where nobody wants to see what goes: the
//! kernel walks its table by itself, and no entry crosses over to us and back.
//!
//! It does not say how many it deleted. What is told is how many entries it counts before and after.

use std::ops::ControlFlow;

use crate::{
    filter::{Filter, Plan},
    netlink::{
        Error, Socket, change,
        conntrack::{DumpFilter, Entry, TupleParts},
        dump, stats,
    },
};

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AtOnce {
    /// It can't be done so: the filter has more than the kernel looks at, or the kernel is older than Linux 6.11.
    Impossible,
    /// No entry met the filter, and nothing was asked of the kernel.
    NoneMeant,
    /// The kernel was asked and did it.
    Done {
        /// Entries of the table, by its own count, before.
        before: u32,
        /// And after.
        after: u32,
    },
}

/// Deletes what meets the filter, if that can be done so.
pub(super) async fn delete(socket: &mut Socket, filter: &Filter, plan: &Plan) -> Result<AtOnce, Error> {
    if !plan.is_all_in_kernel() || !plan.queries.iter().all(is_safe) {
        return Ok(AtOnce::Impossible);
    }
    let before = stats::table(socket).await?.entries;
    if !any_is_meant(socket, filter, plan).await? {
        return Ok(AtOnce::NoneMeant);
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

/// Whether a kernel that knows no filters here does no harm with it. It takes a tuple for a whole one, so a tuple has to
/// be there, and must not be whole: with both addresses of a direction it might be, and be found.
fn is_safe(query: &DumpFilter) -> bool {
    let whole = TupleParts::SRC.with(TupleParts::DST);
    query.has_tuples() && !query.orig.parts.has(whole) && !query.reply.parts.has(whole)
}

/// Whether the kernel does not know what was asked: it takes the tuple for a whole one, which it is not.
fn is_unknown(error: &Error) -> bool {
    matches!(
        error.errno(),
        Some(libc::EINVAL | libc::EOPNOTSUPP | libc::ENOENT | libc::ERANGE)
    )
}

/// Reads until the first that is meant.
async fn any_is_meant(socket: &Socket, filter: &Filter, plan: &Plan) -> Result<bool, Error> {
    for query in &plan.queries {
        let query = dump::Query {
            filter: *query,
            ..dump::Query::default()
        };
        let mut first = First { filter, found: false };
        // A socket of its own: a dump that is not read to its end leaves one of no further use.
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
            // Without a tuple an older kernel would delete everything.
            Typed {
                status: Some("ASSURED"),
                ..Typed::default()
            },
            Typed {
                family: Some("ipv4"),
                ..Typed::default()
            },
            // Part of it is ours to look at.
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
