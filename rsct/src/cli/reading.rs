//! Reads the entries that match a filter, with the kernel's help. Shared by all commands that read the table.

use clap::Args;

use crate::{
    filter::{Evaluator, Filter, Plan, PlannedCondition},
    netlink::{
        Error, Socket,
        conntrack::DumpFilter,
        dump::{self, Begun, Outcome, Query, Sink, Table},
    },
};

/// `--explain`.
#[derive(Clone, Copy, Debug, Default, Args)]
pub(super) struct ExplainArg {
    /// Print on stderr which filter options the kernel applies, and which rsct
    #[arg(long, help_heading = "Filters")]
    explain: bool,
}

impl ExplainArg {
    /// Prints the conditions of a plan, with `--explain`.
    pub(super) fn report(self, plan: &Plan) {
        self.report_placed(&plan.conditions);
        if self.explain && plan.queries.len() > 1 {
            message!("the kernel compares tuples within a family: rsct sends one request for each family");
        }
    }

    /// Prints who applies each condition, with `--explain`.
    pub(super) fn report_placed(self, placed: &[PlannedCondition]) {
        if !self.explain {
            return;
        }
        if placed.is_empty() {
            message!("there is no filter: the kernel sends all entries");
        }
        for PlannedCondition { option, by } in placed {
            match by {
                Evaluator::Kernel => message!("--{option}: applied by the kernel"),
                Evaluator::Rsct(why) => message!("--{option}: applied by rsct: {why}"),
            }
        }
    }
}

/// Dumps the entries of the plan's queries. An older kernel may send more, so the sink has to apply the whole filter
/// again.
///
/// Several queries run in parallel, because the kernel walks the whole table for each.
pub(super) async fn entries(
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
pub(super) async fn entries_concurrently(
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

/// The plan of a filter for a table: the kernel filters the dying and unconfirmed tables only by family.
pub(super) fn plan_for(filter: &Filter, table: Table) -> Plan {
    let mut plan = filter.plan();
    if matches!(table, Table::Dying | Table::Unconfirmed) {
        for placed in &mut plan.conditions {
            if placed.option != "family" {
                placed.by = Evaluator::Rsct("the kernel filters this table by family only");
            }
        }
        plan.queries = vec![DumpFilter {
            family: filter.family,
            ..DumpFilter::default()
        }];
    }
    plan
}
