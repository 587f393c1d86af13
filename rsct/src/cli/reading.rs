//! Plans and reads the entries that match a filter, and explains who applies which condition. Shared by all commands that
//! read the table.

use clap::Args;

pub(super) use crate::table::{entries, entries_concurrently};

use crate::{
    filter::{Evaluator, Filter, Plan, PlannedCondition},
    netlink::{conntrack::DumpFilter, dump::Table},
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
