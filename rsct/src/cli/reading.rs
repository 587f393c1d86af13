//! Entries that meet a filter, read with the kernel's help: what commands that read the table have in common.

use clap::Args;

use crate::{
    filter::{Evaluator, Filter, Plan, PlannedCondition},
    netlink::{
        Error, Socket,
        conntrack::DumpFilter,
        dump::{self, Begun, Outcome, Query, Sink, Table},
    },
};

/// Says who looks at what.
#[derive(Clone, Copy, Debug, Default, Args)]
pub struct ExplainArg {
    /// Say on stderr which parts of the filter the kernel looks at, and which rsct does, and why.
    #[arg(long, help_heading = "Filters")]
    explain: bool,
}

impl ExplainArg {
    /// Says so of a plan, if that was asked for.
    pub fn tell(self, plan: &Plan) {
        self.tell_placed(&plan.conditions);
        if self.explain && plan.queries.len() > 1 {
            message!("the kernel compares tuples within a family: it is asked once for each");
        }
    }

    /// Says who looks at each condition, if that was asked for.
    pub fn tell_placed(self, placed: &[PlannedCondition]) {
        if !self.explain {
            return;
        }
        if placed.is_empty() {
            message!("there is no filter: the kernel sends all there is");
        }
        for PlannedCondition { option, by } in placed {
            match by {
                Evaluator::Kernel => message!("--{option}: the kernel looks at it"),
                Evaluator::Rsct(why) => message!("--{option}: rsct looks at it: {why}"),
            }
        }
    }
}

/// Dumps what the kernel finds by the plan's queries. It may bring more than is meant, on a kernel that knows less, so
/// the sink has to look at every condition again.
///
/// Where there are several queries, the kernel works on all of them at once: each takes it a walk through the whole
/// table.
pub async fn entries(
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
        more.push(socket.beside()?);
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

/// The same of the usual table, for a caller that has other things to wait for meanwhile.
pub async fn entries_beside(socket: &mut Socket, plan: &Plan, sink: &mut impl Sink) -> Result<(), Error> {
    for filter in &plan.queries {
        let query = Query {
            filter: *filter,
            ..Query::default()
        };
        match dump::entries(socket, &query, sink).await {
            Err(error) if refuses_filter(&error) => {
                dump::entries(socket, &query.with_family_alone(), sink).await?;
            }
            outcome => drop(outcome?),
        }
    }
    Ok(())
}

/// What comes of one query; of all but the family where the kernel can't do the rest (marks or zones that it was built
/// without, or a value that its parser refuses).
async fn one(query: Query, mut dump: Begun<'_>, sink: &mut impl Sink) -> Result<Outcome, Error> {
    let bare = query.with_family_alone();
    match dump.entries(sink).await {
        Err(error) if query != bare && refuses_filter(&error) => {
            dump.ask(&bare).await?;
            dump.entries(sink).await
        }
        outcome => outcome,
    }
}

fn refuses_filter(error: &Error) -> bool {
    matches!(
        error.errno(),
        Some(libc::EINVAL | libc::EOPNOTSUPP | libc::ERANGE)
    )
}

/// Whether a filter's conditions hold for what a table other than the usual one has.
pub fn plan_for(filter: &Filter, table: Table) -> Plan {
    let mut plan = filter.plan();
    if matches!(table, Table::Dying | Table::Unconfirmed) {
        for placed in &mut plan.conditions {
            if placed.option != "family" {
                placed.by = Evaluator::Rsct("the kernel filters this table by family alone");
            }
        }
        plan.queries = vec![DumpFilter {
            family: filter.family,
            ..DumpFilter::default()
        }];
    }
    plan
}
