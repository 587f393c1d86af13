//! The commands on expectations.

use std::time::Duration;

use rsct_common::Tuple;

use super::{
    ConntrackSession,
    event::{catch_the_end, listen, loss},
    refused,
    single::{proc_stats, write_cpus},
};
use crate::{
    conntrack::{
        command::Command,
        parse::Order,
        print::{OutputBuffer, now},
        problem::Problem,
        values::output,
    },
    netlink::expect::{self, EventKind, Expectation, GROUPS, Key, New, Of, stats as expect_stats},
    render::{date::Date, expect_line, expect_xml},
};

/// The expectations that the command covers.
fn of(order: &Order) -> Of {
    order.family.map_or(Of::All, Of::Family)
}

/// The tuple that identifies an expectation.
fn key(order: &Order) -> Key {
    Key {
        tuple: order.target.entry.orig,
        ..Key::default()
    }
}

/// Appends an expectation in the chosen format.
fn show(
    out: &mut OutputBuffer,
    bits: u32,
    expectation: &Expectation<'_>,
    event: Option<EventKind>,
    now: Duration,
) {
    let timed = bits & output::TIMESTAMP != 0;
    if bits & output::XML != 0 {
        out.open_xml(expect_xml::BEGIN, expect_xml::END);
        let when = timed.then(|| Date::local(now.as_secs())).flatten();
        expect_xml::flow_at(&mut out.bytes, expectation, event, when);
        return;
    }
    if timed {
        // Unlike with entries, the padding follows the number.
        let moment = format!("[{:<8}.{:<6}]\t", now.as_secs(), now.subsec_micros());
        out.bytes.extend_from_slice(moment.as_bytes());
    }
    expect_line::line(&mut out.bytes, expectation, event, true);
}

/// Prints all expectations.
pub(super) async fn list(session: &mut ConntrackSession, order: &Order) -> Result<(), Problem> {
    let (out, counter) = (&mut session.out, &mut session.counter);
    let dumped = expect::dump(session.sockets.one()?, of(order), |expectation| {
        show(out, order.output, expectation, None, now());
        *counter += 1;
    });
    let dumped = dumped.await;
    session.out.close_xml();
    dumped
        .map(drop)
        .map_err(|error| refused(&error, Command::ExpectList))
}

/// Counts the expectations.
pub(super) async fn count(session: &mut ConntrackSession, order: &Order) -> Result<(), Problem> {
    let counted = expect::dump(session.sockets.one()?, of(order), |_| {}).await;
    let count = counted.as_ref().copied().unwrap_or(0);
    session
        .out
        .bytes
        .extend_from_slice(format!("{count}\n").as_bytes());
    counted
        .map(drop)
        .map_err(|error| refused(&error, Command::ExpectCount))
}

/// Creates an expectation. The kernel uses its helper's timeout and ignores the requested one.
pub(super) async fn create(session: &mut ConntrackSession, order: &Order) -> Result<(), Problem> {
    let target = &order.target;
    let of_family = |tuple: Tuple| Tuple {
        l3num: target.expected.orig.l3num,
        ..tuple
    };
    let new = New {
        master: target.entry.orig,
        tuple: target.expected.orig,
        mask: of_family(target.mask.orig),
        ..New::default()
    };
    let created = expect::create(session.sockets.one()?, &new).await;
    created.map_err(|error| refused(&error, Command::ExpectCreate))
}

/// Deletes an expectation.
pub(super) async fn delete(session: &mut ConntrackSession, order: &Order) -> Result<(), Problem> {
    match expect::delete(session.sockets.one()?, &key(order)).await {
        Ok(true) => {
            session.counter += 1;
            Ok(())
        }
        Ok(false) => Err(missing(Command::ExpectDelete)),
        Err(error) => Err(refused(&error, Command::ExpectDelete)),
    }
}

/// Prints an expectation.
pub(super) async fn get(session: &mut ConntrackSession, order: &Order) -> Result<(), Problem> {
    let out = &mut session.out;
    let key = key(order);
    let answer = expect::get(session.sockets.one()?, &key, |expectation| {
        show(out, order.output, expectation, None, now());
    });
    match answer.await {
        Ok(true) => Ok(()),
        Ok(false) => Err(missing(Command::ExpectGet)),
        Err(error) => Err(refused(&error, Command::ExpectGet)),
    }
}

fn missing(command: Command) -> Problem {
    let text = crate::conntrack::errno::of_command(libc::ENOENT, command);
    Problem::other(format!("Operation failed: {text}"))
}

/// Deletes all expectations.
pub(super) async fn flush(session: &mut ConntrackSession) -> Result<(), Problem> {
    let flushed = expect::flush(session.sockets.one()?).await;
    crate::conntrack::problem::print(b"expectation table has been emptied.");
    flushed.map_err(|error| refused(&error, Command::ExpectFlush))
}

/// Prints the counters of every CPU; if ctnetlink refuses, prints the error and the counters in /proc.
pub(super) async fn stats(session: &mut ConntrackSession) -> Result<(), Problem> {
    match expect_stats::per_cpu(session.sockets.one()?).await {
        Ok(cpus) => {
            write_cpus(&mut session.out.bytes, &cpus, expect_stats::name);
            Ok(())
        }
        Err(error) => {
            proc_stats(&mut session.out.bytes)?;
            Err(refused(&error, Command::ExpectStats))
        }
    }
}

/// Prints the events of expectations until a signal arrives.
pub(super) async fn watch(session: &mut ConntrackSession, order: &Order) -> Result<(), Problem> {
    let mut socket = listen(GROUPS)?;
    let _watch = catch_the_end()?;
    loop {
        let (out, counter) = (&mut session.out, &mut session.counter);
        let received = expect::next_events(&mut socket, |event| {
            show(out, order.output, &event.expectation, Some(event.kind), now());
            *counter += 1;
        });
        let received = received.await;
        session.out.flush()?;
        if let Err(error) = received
            && loss(&error)?.is_break()
        {
            break;
        }
    }
    session.out.close_xml();
    session.out.flush()
}
