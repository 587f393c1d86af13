//! `-D` and `-U`: deletes or updates every matching entry during a dump.

use super::{ConntrackSession, entry_format, refused};
use crate::{
    conntrack::{
        change::{self, Update},
        command::Command,
        matching::EntryMatcher,
        parse::Order,
        print::{EntryFormat, OutputBuffer, now},
        problem::Problem,
        values::output,
    },
    netlink::{
        Error, Socket,
        batch::Batch,
        change::{Operation, apply},
        conntrack::Change,
        lookup,
        walk::Walk,
    },
    render::event_line::Event,
};

/// Deletes the matching entries and prints each deleted one.
pub(super) async fn delete(session: &mut ConntrackSession, order: &Order) -> Result<(), Problem> {
    let failed = |error: Error| refused(&error, Command::Delete);
    let wanted = EntryMatcher::new(order)?;
    let saves = order.output & output::SAVE != 0;
    let entry_format = EntryFormat {
        // conntrack prints no kernel timestamps here, and labels only with `-o save`.
        output: order.output & !output::KTIMESTAMP,
        labels: session.names.map().filter(|_| saves),
        event: saves.then_some(Event::Destroy),
        moment: None,
    };
    let (socket, second) = session.sockets.both()?;
    let mut deleting = Deleting {
        batch: Batch::new(second).map_err(failed)?,
        out: &mut session.out,
        counter: &mut session.counter,
    };
    let mut walk = Walk::begin(socket, &wanted.query()).await.map_err(failed)?;
    let mut more = true;
    while more {
        let now = now();
        let mut found = Vec::new();
        let walked = walk.next(|entry| {
            if wanted.matches(entry) {
                let mut line = Vec::new();
                entry_format.entry(&mut line, entry, now);
                let change = Change {
                    // The tuple may belong to a newer entry by now.
                    id: entry.id,
                    ..change::key_of(entry)
                };
                found.push((change, line));
            }
        });
        more = walked.await.map_err(failed)?;
        for (change, line) in found {
            deleting.batch.push(second, Operation::Delete, &change, line);
            if deleting.batch.is_full() {
                deleting.send(second).await?;
            }
        }
    }
    deleting.send(second).await
}

/// Deletions in flight, each with its output line.
struct Deleting<'a> {
    batch: Batch<Vec<u8>>,
    out: &'a mut OutputBuffer,
    counter: &'a mut u64,
}

impl Deleting<'_> {
    async fn send(&mut self, socket: &mut Socket) -> Result<(), Problem> {
        let mut problem = None;
        let sent = self.batch.send(socket, |line, outcome| match outcome {
            Ok(()) => {
                self.out.bytes.extend_from_slice(&line);
                *self.counter += 1;
            }
            // The entry has expired since the dump.
            Err(error) if error.errno() == Some(libc::ENOENT) => {}
            Err(error) => {
                problem.get_or_insert_with(|| refused(&error, Command::Delete));
            }
        });
        let sent = sent.await.map_err(|error| refused(&error, Command::Delete));
        self.out.flush_some()?;
        sent.and_then(|()| problem.map_or(Ok(()), Err))
    }
}

/// Returns whether to skip an entry after a failed update: it has disappeared, or it has no label extension.
fn goes_on(error: &Error, update: &Update) -> bool {
    match error.errno() {
        Some(libc::ENOENT) => true,
        Some(libc::ENOSPC) => update.lacks_labels,
        _ => false,
    }
}

/// Updates the matching entries that would change, and prints each result.
pub(super) async fn update(session: &mut ConntrackSession, order: &Order) -> Result<(), Problem> {
    let failed = |error: Error| refused(&error, Command::Update);
    let wanted = EntryMatcher::new(order)?;
    let entry_format = EntryFormat {
        output: order.output & !output::KTIMESTAMP,
        ..entry_format(&session.names, order)
    };
    let (socket, second) = session.sockets.both()?;
    // Marks and states are the new values, so the kernel's filter may contain only what identifies the flow.
    let mut query = wanted.query();
    query.filter.mark = None;
    query.filter.status = None;
    let mut walk = Walk::begin(socket, &query).await.map_err(failed)?;
    let mut more = true;
    while more {
        let mut found = Vec::new();
        let walked = walk.next(|entry| {
            if wanted.matches_for_update(entry) {
                found.extend(change::update(order, entry));
            }
        });
        more = walked.await.map_err(failed)?;
        for update in found {
            match apply(second, Operation::Update, &update.change()).await {
                Ok(()) => {}
                Err(error) if goes_on(&error, &update) => continue,
                Err(error) => return Err(failed(error)),
            }
            let now = now();
            let key = update.key();
            let shown = lookup::matching(second, &key, |entry| {
                entry_format.entry(&mut session.out.bytes, entry, now);
            });
            match shown.await {
                Ok(()) => session.counter += 1,
                // The entry has disappeared since the dump.
                Err(error) if error.errno() == Some(libc::ENOENT) => {}
                Err(error) => return Err(failed(error)),
            }
        }
        session.out.flush_some()?;
    }
    Ok(())
}
