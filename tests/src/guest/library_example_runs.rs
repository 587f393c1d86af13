//! The library's example prints the packets, the new entries and the drops by cause that the traffic makes.

use std::{
    io::{BufRead as _, BufReader, Read as _},
    net::UdpSocket,
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, ensure};

use crate::{
    lab::{CLIENT, Lab, SERVER, traffic},
    native::namespace::Namespace,
};

const OPEN: u16 = 8888;
const CLOSED: u16 = 8889;

pub fn run() -> Result<()> {
    let lab = Lab::new()?.without_ipv6()?;
    lab.server
        .sh(&format!("nft add rule inet lab input udp dport {CLOSED} drop"))?;
    let rates = Rates::start(&lab.server)?;

    let (client, server) = traffic::udp(&lab, OPEN)?;
    traffic::request(&client, &server)?;
    traffic::reply(&client, &server)?;
    traffic::request(&client, &server)?;
    let refused = lab.on_client(|| Ok(UdpSocket::bind((CLIENT, 0))?))?;
    for _ in 0..2 {
        traffic::send(&refused, b"closed", (SERVER, CLOSED))?;
    }
    rates.are(&Numbers {
        packets: 5,
        new: 1,
        dropped: 2,
    })
}

#[derive(Debug, Default, PartialEq)]
struct Numbers {
    packets: u64,
    new: u64,
    dropped: u64,
}

/// The running example.
struct Rates {
    child: std::process::Child,
    lines: std::io::Lines<BufReader<std::process::ChildStdout>>,
}

impl Rates {
    /// Returns when it observes causes, which is after it observes packets.
    fn start(netns: &Namespace) -> Result<Self> {
        let mut child = Command::new("rsct-rates")
            .arg(&netns.name)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .context("start rsct-rates")?;
        let stdout = child.stdout.take().context("rsct-rates without output")?;
        let mut lines = BufReader::new(stdout).lines();
        let mut so_far = String::new();
        for line in &mut lines {
            let line = line?;
            if line == "Causes" {
                return Ok(Self { child, lines });
            }
            so_far = so_far + &line + "\n";
        }
        let mut stderr = String::new();
        child
            .stderr
            .take()
            .context("no stderr")?
            .read_to_string(&mut stderr)?;
        child.wait()?;
        anyhow::bail!("rsct-rates ended before it observed causes\n{so_far}{stderr}")
    }

    /// Ends it, and compares the sums of its lines.
    fn are(mut self, expected: &Numbers) -> Result<()> {
        // SAFETY: kill has no pointer arguments; the child has not been waited for.
        unsafe { libc::kill(self.child.id().cast_signed(), libc::SIGINT) };
        let mut sum = Numbers::default();
        let mut text = String::new();
        for line in &mut self.lines {
            let line = line?;
            if let Some(second) = Numbers::of(&line) {
                sum.packets += second.packets;
                sum.new += second.new;
                sum.dropped += second.dropped;
            }
            text = text + &line + "\n";
        }
        let ended = self.child.wait_with_output()?;
        let stderr = String::from_utf8_lossy(&ended.stderr);
        ensure!(ended.status.success(), "it ended with {}\n{stderr}", ended.status);
        ensure!(sum == *expected, "{sum:?}, expected {expected:?}\n{text}{stderr}");
        ensure!(stderr.contains("rsct: 0 records lost.\n"), "{stderr}");
        Ok(())
    }
}

impl Numbers {
    /// Reads `5 packets, 1 new entries, drops {"rule": 2}`.
    fn of(line: &str) -> Option<Self> {
        let (packets, rest) = line.split_once(" packets, ")?;
        let (new, drops) = rest.split_once(" new entries, drops {")?;
        let dropped = match drops.strip_suffix('}')? {
            "" => 0,
            drops => drops.strip_prefix("\"rule\": ")?.parse().ok()?,
        };
        Some(Self {
            packets: packets.parse().ok()?,
            new: new.parse().ok()?,
            dropped,
        })
    }
}
