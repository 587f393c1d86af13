//! The commands with one request: `-I`, `-A`, `-G`, `-F`, `-C`, `-S`.

use std::fs;

use super::{ConntrackSession, entry_format, refused};
use crate::{
    conntrack::{
        change,
        command::Command,
        errno,
        matching::EntryMatcher,
        options::{CtOption, OptionSet},
        parse::Order,
        print::now,
        problem::{Problem, print},
        values::output,
    },
    netlink::{
        change::{Operation, apply},
        conntrack::{Change, DumpFilter},
        lookup,
        stats::{self, Cpu, counter},
    },
    render::xml,
};

/// Creates an entry. `-A` keeps an existing one unchanged and does not count it.
pub(super) async fn create(session: &mut ConntrackSession, order: &Order) -> Result<(), Problem> {
    const ORIG: OptionSet = OptionSet::of(&[CtOption::OrigSrc, CtOption::OrigDst]);
    const REPL: OptionSet = OptionSet::of(&[CtOption::ReplSrc, CtOption::ReplDst]);
    let command = order.command();
    let mut object = order.target.entry.clone();
    match (order.given.has_any(ORIG), order.given.has_any(REPL)) {
        (true, false) => object.complete_reply(),
        (false, true) => object.complete_orig(),
        _ => {}
    }
    if !change::is_complete(&object) {
        return Err(incomplete(command));
    }
    let labels = order
        .label_change
        .as_ref()
        .filter(|_| order.given.has(CtOption::LabelAdd))
        .map(|bits| bits.bytes());
    let change = Change {
        mark: order.mark.map(|mark| mark.value),
        labels: labels.as_deref(),
        ..change::of_object(&object)
    };
    match apply(session.sockets.one()?, Operation::Create, &change).await {
        Ok(()) => session.counter += 1,
        Err(error) if command == Command::Add && error.errno() == Some(libc::EEXIST) => {}
        Err(error) => return Err(refused(&error, command)),
    }
    Ok(())
}

/// Prints one entry, if it also matches the other options.
pub(super) async fn get(session: &mut ConntrackSession, order: &Order) -> Result<(), Problem> {
    let wanted = EntryMatcher::new(order)?;
    let object = &order.target.entry;
    if !change::is_complete(object) {
        return Err(incomplete(Command::Get));
    }
    let entry_format = entry_format(&session.names, order);
    let (out, counter) = (&mut session.out, &mut session.counter);
    let change = change::of_object(object);
    let answer = lookup::matching(session.sockets.one()?, &change, |entry| {
        if wanted.matches(entry) {
            if order.output & output::XML != 0 {
                out.open_xml(xml::HEADER, xml::FOOTER);
            }
            entry_format.entry(&mut out.bytes, entry, now());
            *counter += 1;
        }
    });
    let answer = answer.await;
    session.out.close_xml();
    answer.map_err(|error| refused(&error, Command::Get))
}

/// conntrack's message for a request that it could not build.
fn incomplete(command: Command) -> Problem {
    Problem::other(format!(
        "Operation failed: {}",
        errno::of_command(libc::EINVAL, command)
    ))
}

/// Deletes all entries, or those of one family.
pub(super) async fn flush(session: &mut ConntrackSession, order: &Order) -> Result<(), Problem> {
    let filter = DumpFilter {
        family: order.family,
        ..DumpFilter::default()
    };
    let flushed = crate::netlink::change::flush(session.sockets.one()?, &filter).await;
    print(b"connection tracking table has been emptied.");
    flushed.map_err(|error| refused(&error, Command::Flush))
}

/// Prints the number of entries. If ctnetlink refuses, the number is read from /proc, and the refusal is still an
/// error.
pub(super) async fn count(session: &mut ConntrackSession) -> Result<(), Problem> {
    const PATH: &str = "/proc/sys/net/netfilter/nf_conntrack_count";
    let counted = stats::table(session.sockets.one()?).await;
    let count = match &counted {
        Ok(table) => table.entries,
        Err(_) => {
            let text = fs::read_to_string(PATH).map_err(|_| Problem::other(format!("Can't open {PATH}")))?;
            let count = text.trim().parse();
            count.map_err(|_| Problem::other(format!("Can't read {PATH}")))?
        }
    };
    session
        .out
        .bytes
        .extend_from_slice(format!("{count}\n").as_bytes());
    counted.map(drop).map_err(|error| refused(&error, Command::Count))
}

/// Prints the counters of every CPU, with the same fallback.
pub(super) async fn stats(session: &mut ConntrackSession) -> Result<(), Problem> {
    match stats::per_cpu(session.sockets.one()?).await {
        Ok(cpus) => {
            write_cpus(&mut session.out.bytes, &cpus, counter::name);
            Ok(())
        }
        Err(error) => {
            proc_stats(&mut session.out.bytes)?;
            Err(refused(&error, Command::Stats))
        }
    }
}

/// Number of nameless counters that conntrack prints.
const UNKNOWN: u16 = 4;

/// Appends a line for each CPU.
pub(super) fn write_cpus(out: &mut Vec<u8>, cpus: &[Cpu], name: fn(u16) -> Option<&'static str>) {
    let named = (1..).take_while(|number| name(*number).is_some()).count();
    for Cpu { cpu, counters } in cpus {
        out.extend_from_slice(format!("cpu={cpu:<4}\t").as_bytes());
        let mut counters = counters.clone();
        counters.sort_unstable_by_key(|(number, _)| *number);
        for (number, value) in counters {
            let beyond = usize::from(number).saturating_sub(named);
            match name(number) {
                Some(name) => out.extend_from_slice(format!("{name}={value} ").as_bytes()),
                None if (1..=usize::from(UNKNOWN)).contains(&beyond) => {
                    out.extend_from_slice(format!("unknown{beyond}={value} ").as_bytes());
                }
                None => {}
            }
        }
        out.push(b'\n');
    }
}

/// The counters as kernels without ctnetlink's print them: a line of names, then a line of hexadecimal numbers for each
/// CPU.
pub(super) fn proc_stats(out: &mut Vec<u8>) -> Result<(), Problem> {
    let nothing = || Problem::other("Can't open /proc interface");
    let text = fs::read_to_string("/proc/net/stat/nf_conntrack").map_err(|_| nothing())?;
    let mut lines = text.lines();
    let names: Vec<&str> = lines.next().ok_or_else(nothing)?.split(' ').collect();
    let names = names.into_iter().filter(|name| !name.is_empty());
    let mut cpus = 0;
    for (cpu, line) in lines.enumerate() {
        out.extend_from_slice(format!("cpu={cpu:<4}\t").as_bytes());
        let values = line.split(' ').filter(|value| !value.is_empty());
        for (name, value) in names.clone().zip(values) {
            let value = u32::from_str_radix(value, 16).unwrap_or(0);
            out.extend_from_slice(format!("{name}={value} ").as_bytes());
        }
        out.push(b'\n');
        cpus += 1;
    }
    if cpus == 0 { Err(nothing()) } else { Ok(()) }
}
