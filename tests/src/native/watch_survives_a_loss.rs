//! A stopped reader loses events: their exact number is reported, and a dump of the table follows.

use anyhow::{Result, ensure};

use super::{dying_are_listed::load, namespace::Namespace};
use crate::lab::{Trace, wait::until};

const ENTRIES: usize = 3000;

pub fn run() -> Result<()> {
    let namespace = Namespace::new("lossy")?;
    let watch = Trace::of(namespace.rsct(&["watch", "-o", "json", "--buffer-size", "65536"]))?;
    watch.signal(libc::SIGSTOP)?;
    let lines: String = (0..ENTRIES)
        .map(|n| {
            let (high, low) = (n / 250, n % 250);
            format!("-I -p udp -s 10.0.{high}.{low} -d 10.1.0.1 --sport 1000 --dport 53 -t 300\n")
        })
        .collect();
    load(&namespace, &lines)?;
    watch.signal(libc::SIGCONT)?;
    let loss = watch.wait_for("events were lost", |line| line.text("/type") == "loss")?;
    let synced = watch.wait_for("the table was shown", |line| line.text("/type") == "synced")?;
    ensure!(synced.number("/entries") == Some(ENTRIES as i64), "{synced}");
    // The stream continues after it.
    namespace.sh("conntrack -D -s 10.0.0.1 2>&1")?;
    watch.wait_for("an entry went", |line| line.text("/event") == "destroy")?;
    let ended = watch.stop()?;
    let count = |event: &str| {
        ended
            .lines
            .iter()
            .filter(|line| line.text("/event") == event)
            .count()
    };
    let lost = usize::try_from(loss.number("/lost").unwrap_or(0))?;
    ensure!(
        lost > 0 && count("new") + lost == ENTRIES,
        "{} events arrived and {lost} were lost of {ENTRIES}",
        count("new")
    );
    ensure!(count("sync") == ENTRIES, "{} entries were shown", count("sync"));
    ensure!(
        ended.summary()?.number("/lost_total") == loss.number("/lost"),
        "{}",
        ended.stderr
    );
    ensure!(
        ended.stderr.contains(&format!("rsct: {lost} events were lost"))
            && ended.stderr.contains(&format!("rsct: {lost} events lost.")),
        "{}",
        ended.stderr
    );
    Ok(())
}

/// Waits until this number of the namespace's sockets listens to conntrack's events.
pub(super) fn listens(namespace: &Namespace, sockets: usize) -> Result<()> {
    until("events are listened to", || {
        let table = namespace.read("/proc/thread-self/net/netlink")?;
        let listening = table.lines().filter(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            // Groups are a mask: NEW is the lowest bit.
            fields.get(1) == Some(&"12")
                && fields
                    .get(3)
                    .and_then(|groups| u32::from_str_radix(groups, 16).ok())
                    .is_some_and(|groups| groups & 1 == 1)
        });
        Ok(listening.count() >= sockets)
    })
}
