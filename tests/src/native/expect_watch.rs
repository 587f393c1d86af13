//! `rsct expect watch` prints the events of `conntrack -E expect`, ends on request, and reports lost events.

use std::{
    io::{BufRead as _, BufReader, Read as _},
    process::{Child, ChildStdout, Command, Output, Stdio},
    sync::{Arc, Mutex, PoisonError},
    thread::JoinHandle,
};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::{
    namespace::{Namespace, output, succeeds},
    table::same_but_for_time,
};
use crate::lab::{
    ftp::{self, Ftp, PORT},
    json, wait,
};

pub fn run() -> Result<()> {
    prints_the_same_events(&ftp::namespace()?)
}

/// Checks this in a namespace.
pub fn prints_the_same_events(namespace: &Namespace) -> Result<()> {
    let theirs = EventReader::start(namespace, namespace.command("conntrack", &["-E", "expect"]))?;
    let ours = EventReader::start(namespace, namespace.rsct(&["expect", "watch"]))?;
    let json = EventReader::start(namespace, namespace.rsct(&["expect", "watch", "-o", "json"]))?;
    let gone = EventReader::start(
        namespace,
        namespace.rsct(&[
            "expect",
            "watch",
            "--event-mask",
            "destroy",
            "--tuple-port-dst",
            "50022",
            "--count",
            "1",
        ]),
    )?;
    let mut ftp = Ftp::connect(namespace, "127.0.0.1", PORT)?;
    ftp.passive(50021)?;
    ftp.transfer(namespace, 50021)?;
    ftp.passive(50022)?;
    succeeds(&mut namespace.rsct(&["expect", "delete", "--tuple-port-dst", "50022"]))?;

    // Over lo the helper sees each reply twice: the second expectation replaces the first, before it ends itself. So the
    // last event of one port is not the first of its kind, but there are as many as of the other.
    wait::until("the last event", || {
        let lines = theirs.lines();
        let count = |kind: &str, port: &str| {
            let is_it = |line: &&String| line.contains(kind) && line.contains(port);
            lines.iter().filter(is_it).count()
        };
        let ended = count("[DESTROY]", "dport=50022");
        Ok(ended > 0 && ended == count("[NEW]", "dport=50021"))
    })
    .with_context(|| format!("so far: {:#?}", theirs.lines()))?;
    let seen = theirs.lines();
    ours.wait_for("as many events", |_| ours.lines().len() == seen.len())?;
    same_but_for_time(&ours.lines().join("\n"), &seen.join("\n"))?;
    // The first lines are the schema and the report that it listens.
    json.wait_for("as many events", |_| json.lines().len() == seen.len() + 2)?;

    let ended = ours.stop(libc::SIGTERM)?;
    let came = seen.iter().filter(|line| line.contains("[NEW]")).count();
    let went = seen.len() - came;
    let summary = format!(
        "rsct: {} expectation events have been shown: {came} new, {went} destroyed.\nrsct: 0 events lost.\n",
        seen.len()
    );
    ensure!(ended.status.success(), "{ended:?}");
    ensure!(
        ended.stderr == summary.as_bytes(),
        "{ended:?}\nwhere {summary:?} is expected"
    );
    let ended = json.stop(libc::SIGINT)?;
    ensure!(ended.status.success(), "an interrupt is no failure: {ended:?}");
    json_agrees(&String::from_utf8(ended.stdout)?, &seen)?;
    // This one ends by itself.
    let lines = gone.ended()?;
    ensure!(
        lines.len() == 1 && lines[0].starts_with("[DESTROY]") && lines[0].contains("dport=50022"),
        "{lines:?}"
    );

    let short = output(&mut namespace.rsct(&["expect", "watch", "--duration", "50ms", "-o", "xml"]))?;
    ensure!(
        short.stdout == b"<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<expect>\n</expect>\n",
        "{short:?}"
    );
    loss_is_reported(namespace, &mut ftp)
}

fn json_agrees(told: &str, seen: &[String]) -> Result<()> {
    let lines: Vec<Value> = json::lines(told)?;
    let [started, events @ .., summary] = &lines[..] else {
        anyhow::bail!("{told}");
    };
    ensure!(
        started["type"] == "started" && summary["type"] == "summary",
        "{told}"
    );
    let came = seen.iter().filter(|line| line.contains("[NEW]")).count();
    ensure!(
        summary["new"] == came && summary["destroyed"] == seen.len() - came && summary["lost_total"] == 0,
        "{summary}"
    );
    ensure!(events.len() == seen.len(), "{told}");
    for (event, theirs) in events.iter().zip(seen) {
        let kind = if theirs.contains("[NEW]") {
            "new"
        } else {
            "destroy"
        };
        ensure!(event["event"] == kind, "{theirs}\n{event}");
        ensure!(
            event["master"]["dport"] == PORT && event["helper"] == "ftp",
            "{event}"
        );
        ensure!(event["received_ns"].as_u64().is_some_and(|ns| ns > 0), "{event}");
    }
    let last = events.last().context("no events")?;
    ensure!(
        last["requester"]["portid"]
            .as_u64()
            .is_some_and(|portid| portid > 0),
        "the requesting task: {last}"
    );
    Ok(())
}

/// While it is stopped, more events occur than its buffer holds.
fn loss_is_reported(namespace: &Namespace, ftp: &mut Ftp) -> Result<()> {
    let small = EventReader::start(
        namespace,
        namespace.rsct(&["expect", "watch", "--buffer-size", "4K"]),
    )?;
    small.signal(libc::SIGSTOP)?;
    for port in 50100..50150 {
        ftp.passive(port)?;
    }
    small.signal(libc::SIGCONT)?;
    // The kernel queues no more until it has read its buffer.
    wait::until("it reads on", || {
        ftp.passive(50200)?;
        Ok(small.lines().iter().any(|line| line.contains("dport=50200")))
    })?;
    let ended = small.stop(libc::SIGTERM)?;
    let said = String::from_utf8_lossy(&ended.stderr);
    let told = said
        .lines()
        .filter(|line| line.contains(" lost: "))
        .filter_map(|line| line.strip_prefix("rsct: ")?.split_once(" event"));
    let counts: Vec<u64> = told.map(|(lost, _)| lost.parse()).collect::<Result<_, _>>()?;
    let sum: u64 = counts.iter().sum();
    ensure!(sum > 0, "no loss is reported: {said}");
    let events = if sum == 1 { "event" } else { "events" };
    ensure!(said.ends_with(&format!("rsct: {sum} {events} lost.\n")), "{said}");
    Ok(())
}

/// A process that listens to events.
struct EventReader {
    child: Child,
    lines: Arc<Mutex<Vec<String>>>,
    reader: Option<JoinHandle<()>>,
}

impl EventReader {
    /// Starts it, and returns when it receives every event.
    fn start(namespace: &Namespace, mut command: Command) -> Result<Self> {
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let before = listening(namespace)?;
        let mut child = command.spawn().with_context(|| format!("start {command:?}"))?;
        let lines = Arc::default();
        let reader = child.stdout.take().map(|out| read(out, Arc::clone(&lines)));
        let listener = Self { child, lines, reader };
        wait::until("it listens", || Ok(listening(namespace)? > before))?;
        Ok(listener)
    }

    fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn wait_for(&self, what: &str, is_it: impl Fn(&str) -> bool) -> Result<()> {
        wait::until(what, || Ok(self.lines().iter().any(|line| is_it(line))))
            .with_context(|| format!("so far: {:#?}", self.lines()))
    }

    fn signal(&self, signal: i32) -> Result<()> {
        let pid = self.child.id().try_into().context("a process id")?;
        // SAFETY: a plain call; the child has not been waited for, so the id is its own.
        ensure!(unsafe { libc::kill(pid, signal) } == 0, "send signal {signal}");
        Ok(())
    }

    /// Ends it, and returns its output.
    fn stop(mut self, signal: i32) -> Result<Output> {
        self.signal(signal)?;
        let mut stderr = Vec::new();
        self.child
            .stderr
            .take()
            .context("its stderr")?
            .read_to_end(&mut stderr)?;
        let status = self.child.wait()?;
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
        Ok(Output {
            status,
            stdout: self.lines().join("\n").into_bytes(),
            stderr,
        })
    }

    /// Waits until it ends by itself, and returns its lines.
    fn ended(mut self) -> Result<Vec<String>> {
        wait::until("it ends", || Ok(self.child.try_wait()?.is_some()))?;
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
        Ok(self.lines())
    }
}

impl Drop for EventReader {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Number of the namespace's sockets that listen to netfilter's events.
fn listening(namespace: &Namespace) -> Result<usize> {
    // Protocol 12 is netfilter's; each group is a bit.
    let sockets = namespace.read("/proc/thread-self/net/netlink")?;
    let fields = sockets
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>());
    let listening = fields.filter(|fields| fields.len() > 3 && fields[1] == "12" && fields[3] != "00000000");
    Ok(listening.count())
}

fn read(out: ChildStdout, into: Arc<Mutex<Vec<String>>>) -> JoinHandle<()> {
    std::thread::spawn(move || {
        for line in BufReader::new(out).lines().map_while(Result::ok) {
            into.lock().unwrap_or_else(PoisonError::into_inner).push(line);
        }
    })
}
