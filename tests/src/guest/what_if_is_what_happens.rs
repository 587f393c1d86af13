//! `rsct timeout what-if` watches four flows, and predicts the flows that would be cut off, the entries that would have
//! expired, and the number of entries. Then the values are set, the same flows send again, and the prediction holds.

use std::{
    net::UdpSocket,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};

use crate::{
    guest::ATTACH,
    lab::{Lab, Line, Trace, traffic, wait},
    native::namespace::{output, succeeds},
};

/// The kernel's timeouts of UDP without replies, at first and then.
const NOW: &str = "30";
const THEN: &str = "3";

/// A flow, and the times at which it sends, in tenths of a second.
struct Talk {
    port: u16,
    at: &'static [u64],
}

/// The first never pauses for long, the second pauses for five seconds, the third sends once early, the fourth once
/// late.
const TALKS: [Talk; 4] = [
    Talk {
        port: 9001,
        at: &[0, 15, 30, 45, 60],
    },
    Talk {
        port: 9002,
        at: &[0, 50],
    },
    Talk { port: 9003, at: &[0] },
    Talk {
        port: 9004,
        at: &[50],
    },
];

/// Time of the last packet, in tenths of a second.
const END: u64 = 60;
/// Tolerated delay of a packet: with more, a pause might be on the other side of the timeout.
const LATE: Duration = Duration::from_millis(900);
/// Attempts on a busy host.
const ROUNDS: usize = 8;

pub fn run() -> Result<()> {
    let lab = Lab::new()?;
    wrong_use_is_refused(&lab)?;
    let timeout = |seconds: &str| {
        lab.server.sh(&format!(
            "sysctl -qw net.netfilter.nf_conntrack_udp_timeout={seconds}"
        ))
    };
    timeout(NOW)?;
    let ended = on_time(&lab, || {
        let watching = Trace::of(what_if(&lab, &format!("unreplied={THEN}")))?;
        let talked = talk(&lab)?;
        watching.signal(libc::SIGTERM)?;
        let late = talked.late();
        Ok((watching.stop()?, late))
    })?;
    let total = ended
        .lines
        .iter()
        .find(|line| line.text("/type") == "what_if")
        .with_context(|| format!("no result\n{}", ended.told()))?;
    ensure!(total.number("/lost_total") == Some(0), "{total}");
    ensure!(total.number("/unobserved") == Some(0), "{total}");
    ensure!(total.number("/proto_entries_now") == Some(4), "{total}");
    ensure!(total.number("/values_s/unreplied") == Some(3), "{total}");
    let of = |kind: &str| -> Vec<i64> {
        let lines = ended
            .lines
            .iter()
            .filter(|line: &&Line| line.text("/type") == kind);
        let mut ports: Vec<i64> = lines.filter_map(|line| line.number("/orig/dport")).collect();
        ports.sort_unstable();
        ports
    };
    ensure!(of("cut_off") == [9002], "{}", ended.told());
    ensure!(of("expired") == [9003], "{}", ended.told());
    ensure!(of("lived_on").is_empty(), "{}", ended.told());
    let predicted = total.number("/proto_entries_then").context("a prediction")?;
    // Nothing has been changed.
    let in_force = lab
        .server
        .sh("sysctl -n net.netfilter.nf_conntrack_udp_timeout")?;
    ensure!(in_force.trim() == NOW, "{in_force}");

    timeout(THEN)?;
    let (listed, ended) = on_time(&lab, || {
        let trace = Trace::start(&lab.server.name, &["-p", "udp"])?;
        let talked = talk(&lab)?;
        // Expired entries are in no listing, whether they were reaped or not.
        let listed = succeeds(&mut lab.server.rsct(&["list", "-p", "udp"]))?;
        let late = talked.late();
        Ok(((listed, trace.stop()?), late))
    })?;
    let there = i64::try_from(listed.lines().count())?;
    ensure!(
        there == predicted,
        "{predicted} were predicted, there are\n{listed}"
    );
    ensure!(!listed.contains("dport=9003"), "{listed}");
    let created = ended
        .lines
        .iter()
        .filter(|line| line.number("/orig/dport") == Some(9002) && line.is_outcome("created"));
    ensure!(
        created.count() == 2,
        "the flow that was to be cut off was not\n{}",
        ended.told()
    );
    longer_ones_live_on(&lab)
}

/// With a longer timeout the expired entries would exist.
fn longer_ones_live_on(lab: &Lab) -> Result<()> {
    lab.server.sh("conntrack -F
        sysctl -qw net.netfilter.nf_conntrack_udp_timeout=1")?;
    let watching = Trace::of(what_if(lab, "unreplied=1m"))?;
    let (client, server) = traffic::udp(lab, 9005)?;
    traffic::request(&client, &server)?;
    wait::until("its entry is deleted", || {
        Ok(lab.server.list(&["-p", "udp", "--dport", "9005"])?.is_empty())
    })?;
    let ended = watching.stop()?;
    let lived_on = ended.lines.iter().find(|line| line.text("/type") == "lived_on");
    let lived_on = lived_on.with_context(|| format!("nothing lived on\n{}", ended.told()))?;
    ensure!(lived_on.number("/orig/dport") == Some(9005), "{lived_on}");
    let total = ended.lines.iter().find(|line| line.text("/type") == "what_if");
    let total = total.with_context(|| format!("no result\n{}", ended.told()))?;
    ensure!(
        total.number("/proto_entries_now") == Some(0) && total.number("/proto_entries_then") == Some(1),
        "{total}"
    );
    Ok(())
}

fn what_if(lab: &Lab, value: &str) -> Command {
    let args = [
        "timeout",
        "what-if",
        "udp",
        value,
        "--duration",
        "1h",
        "-o",
        "json",
    ];
    let mut command = lab.server.rsct(&args);
    if let Ok(mode) = std::env::var(ATTACH) {
        command.args(["--attach", &mode]);
    }
    command
}

/// Result of a conversation.
struct Talked {
    /// Closed, they would make the kernel answer with errors.
    _sockets: Vec<(UdpSocket, UdpSocket)>,
    begin: Instant,
    late: Duration,
}

impl Talked {
    /// Delay of the latest packet, or of the end.
    fn late(&self) -> Duration {
        self.late.max(self.begin.elapsed().saturating_sub(tenths(END)))
    }
}

fn tenths(of_a_second: u64) -> Duration {
    Duration::from_millis(of_a_second * 100)
}

/// Sends the packets of all flows. The time itself is the subject.
fn talk(lab: &Lab) -> Result<Talked> {
    let sockets = TALKS
        .iter()
        .map(|talk| traffic::udp(lab, talk.port))
        .collect::<Result<Vec<_>>>()?;
    let mut moments: Vec<(u64, usize)> = TALKS
        .iter()
        .enumerate()
        .flat_map(|(who, talk)| talk.at.iter().map(move |at| (*at, who)))
        .collect();
    moments.sort_unstable();
    let begin = Instant::now();
    let mut late = Duration::ZERO;
    for (at, who) in moments {
        thread::sleep(tenths(at).saturating_sub(begin.elapsed()));
        let (client, server) = &sockets[who];
        traffic::request(client, server)?;
        late = late.max(begin.elapsed().saturating_sub(tenths(at)));
    }
    Ok(Talked {
        _sockets: sockets,
        begin,
        late,
    })
}

/// Runs a part of the scenario with an empty table, and repeats it if the host was too busy to send in time.
fn on_time<T>(lab: &Lab, mut tell: impl FnMut() -> Result<(T, Duration)>) -> Result<T> {
    let mut late = Duration::ZERO;
    for _ in 0..ROUNDS {
        lab.server.sh("conntrack -F 2>/dev/null")?;
        let told;
        (told, late) = tell()?;
        if late <= LATE {
            return Ok(told);
        }
    }
    bail!("packets were late in each of {ROUNDS} rounds, in the last by {late:?}")
}

fn wrong_use_is_refused(lab: &Lab) -> Result<()> {
    for (args, expected) in [
        (&["udp", "established=5"][..], "udp has no state \"established\""),
        (&["udp", "unreplied=5", "-p", "tcp"], "--proto"),
        (&["quic", "unreplied=5"], "quic"),
    ] {
        let said = output(&mut lab.server.rsct(&[&["timeout", "what-if"], args].concat()))?;
        let text = String::from_utf8_lossy(&said.stderr).into_owned();
        ensure!(
            said.status.code() == Some(2) && text.contains(expected),
            "{args:?}: {text}"
        );
        ensure!(text.lines().count() == 1, "{text}");
    }
    Ok(())
}
