//! Reads the entries that match a filter, with the kernel's help.

use crate::{
    filter::Plan,
    netlink::{
        Error, Socket,
        dump::{self, Begun, Outcome, Query, Sink, Table},
    },
};

/// Dumps the entries of the plan's queries. An older kernel may send more, so the sink has to apply the whole filter
/// again.
///
/// Several queries run in parallel, because the kernel walks the whole table for each.
pub(crate) async fn entries(
    socket: &mut Socket,
    table: Table,
    plan: &Plan,
    sink: &mut impl Sink,
) -> Result<Outcome, Error> {
    let queries: Vec<Query> = plan
        .queries
        .iter()
        .map(|&filter| Query { table, filter })
        .collect();
    let mut more = Vec::new();
    for _ in queries.iter().skip(1) {
        more.push(socket.open_sibling()?);
    }
    let mut begun = Vec::new();
    for (socket, query) in std::iter::once(socket).chain(&mut more).zip(queries) {
        begun.push((query, dump::begin(socket, &query)?));
    }
    let mut sum = Outcome::default();
    for (query, dump) in begun {
        let outcome = one(query, dump, sink).await?;
        sum.entries += outcome.entries;
        sum.interrupted += outcome.interrupted;
        sum.overrun += outcome.overrun;
        sum.stopped |= outcome.stopped;
        if sum.stopped {
            break;
        }
    }
    Ok(sum)
}

/// Dumps the conntrack table like [`entries`], for a caller that also waits for other events.
pub(crate) async fn entries_concurrently(
    socket: &mut Socket,
    plan: &Plan,
    sink: &mut impl Sink,
) -> Result<(), Error> {
    for filter in &plan.queries {
        let query = Query {
            filter: *filter,
            ..Query::default()
        };
        match dump::entries(socket, &query, sink).await {
            Err(error) if rejects_filter(&error) => {
                dump::entries(socket, &query.with_family_alone(), sink).await?;
            }
            outcome => drop(outcome?),
        }
    }
    Ok(())
}

/// Dumps one query; only by family if the kernel rejects the rest (marks or zones that it was built without, or a value
/// that its parser rejects).
async fn one(query: Query, mut dump: Begun<'_>, sink: &mut impl Sink) -> Result<Outcome, Error> {
    let bare = query.with_family_alone();
    match dump.entries(sink).await {
        Err(error) if query != bare && rejects_filter(&error) => {
            dump.begin(&bare).await?;
            dump.entries(sink).await
        }
        outcome => outcome,
    }
}

fn rejects_filter(error: &Error) -> bool {
    matches!(
        error.errno(),
        Some(libc::EINVAL | libc::EOPNOTSUPP | libc::ERANGE)
    )
}
