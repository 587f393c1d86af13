//! `-L`: the entries of a table.

use std::{ops::ControlFlow, time::Duration};

use super::{ConntrackSession, entry_format, refused};
use crate::{
    conntrack::{
        command::{Command, TableName},
        matching::{COMPARED, EntryMatcher},
        options::CtOption,
        parse::Order,
        print::{EntryFormat, OutputBuffer, now},
        problem::Problem,
        values::output,
    },
    netlink::{
        conntrack::Entry,
        dump::{self, Query, Sink},
    },
    render::xml,
};

/// Bytes held at the start, in case the kernel reports an incomplete dump that must be repeated.
const HOLD_BYTES: usize = 2 * 1024 * 1024;

/// Prints the matching entries.
pub(super) async fn list(session: &mut ConntrackSession, order: &Order) -> Result<(), Problem> {
    let is_whole = matches!(order.table, TableName::Conntrack);
    let zeroes = order.given.has(CtOption::Zero);
    if is_whole && zeroes && order.given.has_any(COMPARED) {
        return Err(Problem::parameter("Can't use -z with filtering parameters"));
    }
    let wanted = EntryMatcher::new(order)?;
    let query = match order.table {
        TableName::Conntrack | TableName::Expect => Query {
            table: if zeroes {
                dump::Table::ConntrackZeroingCounters
            } else {
                dump::Table::Conntrack
            },
            ..wanted.query()
        },
        TableName::Dying => of_table(dump::Table::Dying, order),
        TableName::Unconfirmed => of_table(dump::Table::Unconfirmed, order),
    };
    let socket = session.sockets.one()?;
    let mut list = ListSink {
        wanted,
        entry_format: entry_format(&session.names, order),
        out: &mut session.out,
        now: now(),
        shown: 0,
        may_restart: !zeroes,
        problem: None,
    };
    let dumped = dump::entries(socket, &query, &mut list).await;
    let (shown, problem) = (list.shown, list.problem.take());
    session.counter += shown;
    if let Some(problem) = problem {
        return Err(problem);
    }
    session.out.close_xml();
    match dumped {
        Ok(_) => Ok(()),
        Err(error) => Err(refused(&error, Command::List)),
    }
}

fn of_table(table: dump::Table, order: &Order) -> Query {
    Query {
        table,
        ..Query::of_family(order.family)
    }
}

struct ListSink<'a> {
    wanted: EntryMatcher<'a>,
    entry_format: EntryFormat<'a>,
    out: &'a mut OutputBuffer,
    now: Duration,
    shown: u64,
    /// Nothing has been written yet, and the dump changes nothing.
    may_restart: bool,
    problem: Option<Problem>,
}

impl Sink for ListSink<'_> {
    fn entry(&mut self, entry: &Entry<'_>) -> ControlFlow<()> {
        if !self.wanted.matches(entry) {
            return ControlFlow::Continue(());
        }
        if self.entry_format.output & output::XML != 0 {
            self.out.open_xml(xml::HEADER, xml::FOOTER);
        }
        self.entry_format.entry(&mut self.out.bytes, entry, self.now);
        self.shown += 1;
        let flushed = if !self.may_restart {
            self.out.flush_some()
        } else if self.out.bytes.len() >= HOLD_BYTES {
            self.may_restart = false;
            self.now = now();
            self.out.flush()
        } else {
            Ok(())
        };
        match flushed {
            Ok(()) => ControlFlow::Continue(()),
            Err(problem) => {
                self.problem = Some(problem);
                ControlFlow::Break(())
            }
        }
    }

    fn restart(&mut self) -> bool {
        if self.may_restart {
            self.out.forget();
            self.shown = 0;
        }
        self.may_restart
    }
}
