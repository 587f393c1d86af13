//! `rsct metrics` running during a scenario, and its scrapes.

use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, channel},
    thread,
    time::Instant,
};

use anyhow::{Context as _, Result, ensure};

use super::wait::DEADLINE;
use crate::{guest::ATTACH, native::namespace};

/// The format that Prometheus requests.
pub const OPEN: &str = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5";

/// Rules of a client whose own table must not fill: the limit is that of the whole machine.
pub const UNTRACKED: &str = "
    table inet untracked {
        chain out { type filter hook output priority raw; notrack; }
        chain in { type filter hook prerouting priority raw; notrack; }
    }
";

/// A running exporter, which ends when this is dropped.
pub struct Metrics {
    child: Child,
    messages: Receiver<String>,
    heard: Vec<String>,
    /// Its address and port.
    pub address: String,
}

/// An answer over HTTP.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The head.
    pub head: String,
    /// The body.
    pub body: String,
}

impl Metrics {
    /// Starts one on some port, and returns when it serves.
    pub fn start(args: &[&str]) -> Result<Self> {
        Self::of(Command::new(namespace::rsct()), "127.0.0.1:0", args)
    }

    /// Starts one: `command` is rsct, in some place.
    pub fn of(mut command: Command, listen: &str, args: &[&str]) -> Result<Self> {
        command
            .args(["metrics", "--listen", listen])
            .args(args)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        if let Ok(mode) = std::env::var(ATTACH) {
            command.args(["--attach", &mode]);
        }
        let mut child = command.spawn().with_context(|| format!("start {command:?}"))?;
        let stderr = child.stderr.take().context("the exporter's messages")?;
        let (send, messages) = channel();
        thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                let _ = send.send(line);
            }
        });
        let mut metrics = Self {
            child,
            messages,
            heard: Vec::new(),
            address: String::new(),
        };
        let place = metrics.wait_for("metrics at http://")?;
        let address = place
            .split("http://")
            .nth(1)
            .and_then(|rest| rest.split('/').next());
        metrics.address = address.context("an address")?.to_owned();
        Ok(metrics)
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits for a message with these words, and returns it.
    pub fn wait_for(&mut self, words: &str) -> Result<String> {
        let end = Instant::now() + DEADLINE;
        loop {
            if let Some(message) = self.heard.iter().find(|message| message.contains(words)) {
                return Ok(message.clone());
            }
            let left = end.saturating_duration_since(Instant::now());
            let message = self
                .messages
                .recv_timeout(left)
                .with_context(|| format!("no message with {words:?}\n{}", self.heard.join("\n")))?;
            self.heard.push(message);
        }
    }

    /// The metrics now.
    pub fn scrape(&self) -> Result<Answer> {
        let answer = get(&self.address, "/metrics", "")?;
        ensure!(answer.head.starts_with("HTTP/1.1 200 OK\r\n"), "{}", answer.head);
        Ok(answer)
    }

    /// Ends it as a service manager would, and returns its exit code.
    pub fn stop(mut self) -> Result<Option<i32>> {
        let pid = self.child.id().try_into().context("a process id")?;
        // SAFETY: a plain call; the child has not been waited for, so the id is its own.
        ensure!(unsafe { libc::kill(pid, libc::SIGTERM) } == 0, "send SIGTERM");
        Ok(self.child.wait()?.code())
    }
}

impl Drop for Metrics {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One request; HTTP/1.0, so that no server splits its answer into chunks.
pub fn get(address: &str, path: &str, accept: &str) -> Result<Answer> {
    let mut stream = TcpStream::connect(address).with_context(|| format!("connect to {address}"))?;
    stream.set_read_timeout(Some(DEADLINE))?;
    let accept = match accept {
        "" => String::new(),
        accept => format!("Accept: {accept}\r\n"),
    };
    write!(stream, "GET {path} HTTP/1.0\r\nHost: {address}\r\n{accept}\r\n")?;
    let mut bytes = Vec::new();
    stream
        .read_to_end(&mut bytes)
        .with_context(|| format!("read {path} of {address}"))?;
    let text = String::from_utf8(bytes)?;
    let (head, body) = text
        .split_once("\r\n\r\n")
        .with_context(|| format!("no answer of {address}: {text:?}"))?;
    Ok(Answer {
        head: format!("{head}\r\n"),
        body: body.to_owned(),
    })
}

impl Answer {
    /// The series of a name: their labels and values.
    pub fn series(&self, name: &str) -> Vec<(BTreeMap<String, String>, f64)> {
        let mut series = Vec::new();
        for line in self.body.lines().filter(|line| !line.starts_with('#')) {
            let Some(rest) = line.strip_prefix(name) else {
                continue;
            };
            let (labels, value) = match rest.strip_prefix('{') {
                Some(rest) => rest.rsplit_once("} ").unwrap_or_default(),
                None if rest.starts_with(' ') => ("", rest.trim()),
                None => continue,
            };
            // No label of a scenario has a comma.
            let labels = labels.split(',').filter_map(|label| {
                let (name, value) = label.split_once('=')?;
                Some((name.to_owned(), value.trim_matches('"').to_owned()))
            });
            series.push((labels.collect(), value.parse().unwrap_or(f64::NAN)));
        }
        series
    }

    /// The sum of the series of a name with these labels.
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let has = |of: &BTreeMap<String, String>| {
            labels
                .iter()
                .all(|(name, value)| of.get(*name).is_some_and(|of| of == value))
        };
        let series = self.series(name);
        series
            .iter()
            .filter(|(of, _)| has(of))
            .map(|(_, value)| value)
            .sum()
    }

    /// The value of the label `of` of the highest series of a name.
    pub fn highest(&self, name: &str, of: &str) -> Option<String> {
        let mut series = self.series(name);
        series.sort_by(|(_, one), (_, other)| other.total_cmp(one));
        series.first()?.0.get(of).cloned()
    }
}
