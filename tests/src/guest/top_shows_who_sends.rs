//! `rsct top` in a real terminal, tmux: panes, keys, sizes and ends; and its figures as JSON.

use std::{collections::BTreeSet, time::Instant};

use anyhow::{Context as _, Result, ensure};

use crate::{
    guest::ATTACH,
    lab::{CLIENT, Lab, SERVER, Trace, programs, raw, tmux::Tmux, traffic, wait},
    native::namespace::{Namespace, output, rsct},
};

pub fn run() -> Result<()> {
    let lab = Lab::new()?.without_ipv6()?;
    figures(&lab)?;
    let tmux = Tmux::start(&lab.server, 80, 24)?;
    // Compared after each end.
    tmux.run("stty -g > /tmp/terminal")?;
    dumb_terminal(&tmux)?;
    screen(&lab, &tmux)?;
    ends_by_a_signal(&tmux)?;
    no_terminal(&lab.server)
}

fn args<'a>(more: &[&'a str], attach: &'a str) -> Vec<&'a str> {
    [&["top", "--attach", attach], more].concat()
}

fn attach() -> String {
    std::env::var(ATTACH).unwrap_or_else(|_| "auto".to_owned())
}

/// The totals are those of the packets that were sent.
fn figures(lab: &Lab) -> Result<()> {
    let attach = attach();
    let top = Trace::of(
        lab.server
            .rsct(&args(&["-o", "json", "--interval", "500ms"], &attach)),
    )?;
    top.wait_for("causes are recorded", |line| line.text("/type") == "causes")?;
    let (client, server) = traffic::udp(lab, 9000)?;
    for _ in 0..7 {
        traffic::request(&client, &server)?;
    }
    traffic::reply(&client, &server)?;
    invalid(lab)?;
    let told = top.wait_for("an interval after all of it", |line| {
        line.number("/totals/packets") == Some(9) && line.number("/totals/invalid") == Some(1)
    })?;
    let sum = |path: &str| {
        let each = |line: &crate::lab::Line| {
            let rows = line.0.pointer(path).and_then(|rows| rows.as_array());
            let of_client = rows.into_iter().flatten().filter(|row| {
                row["src"] == CLIENT || row.pointer("/orig/src").is_some_and(|src| src == CLIENT)
            });
            of_client.filter_map(|row| row["packets"].as_i64()).sum()
        };
        top.sum(each)
    };
    ensure!(
        sum("/top_flows") == 8,
        "{} packets of the flow: {told}",
        sum("/top_flows")
    );
    ensure!(
        sum("/top_sources") == 9,
        "{} packets of the source: {told}",
        sum("/top_sources")
    );
    ensure!(told.number("/totals/inserted") == Some(1), "{told}");
    let ended = top.stop()?;
    ensure!(ended.status.success(), "{}", ended.told());
    let causes = |line: &crate::lab::Line| line.0["causes"].as_array().is_some_and(|all| !all.is_empty());
    ensure!(
        ended.lines.iter().any(causes),
        "no cause of the INVALID packet\n{}",
        ended.told()
    );
    let last = ended.lines.last().context("no interval")?;
    let in_table = last.0["population"].as_array().map_or(0, Vec::len);
    ensure!(in_table == 1, "{last}");
    Ok(())
}

fn invalid(lab: &Lab) -> Result<()> {
    let address = |ip: &str, port| -> Result<_> { Ok(std::net::SocketAddrV4::new(ip.parse()?, port)) };
    lab.on_client(|| {
        raw::tcp(
            address(CLIENT, 4000)?,
            address(SERVER, 80)?,
            raw::RST | raw::ACK,
            1,
        )
    })
}

/// The command, and the line after its end.
fn line(more: &str) -> String {
    let rsct = rsct();
    format!(
        "clear; {} top --attach {} {more}; echo code $?",
        rsct.display(),
        attach()
    )
}

fn dumb_terminal(tmux: &Tmux) -> Result<()> {
    for (term, cause) in [("dumb", "TERM is dumb"), ("unknown", "TERM is unknown")] {
        tmux.run(&format!(
            "clear; TERM={term} {}",
            line("").trim_start_matches("clear; ")
        ))?;
        tmux.shows(&[cause, "use -o text", "code 2"])?;
    }
    Ok(())
}

/// The shell's screen is back, and the terminal's settings are those from before.
fn is_restored(tmux: &Tmux) -> Result<()> {
    let screen = tmux.shows(&["code 0"])?;
    ensure!(
        !screen.contains("1-9 pane"),
        "the screen is still there:\n{screen}"
    );
    // The typed line does not have the number.
    tmux.run("clear; stty -g | cmp - /tmp/terminal && echo $((40 + 2)) settings")?;
    tmux.shows(&["42 settings"])?;
    Ok(())
}

/// The ids of the loaded programs of causes, which a trace does not load.
fn of_causes(known: &BTreeSet<u32>) -> Result<BTreeSet<u32>> {
    let loaded = programs::other_than(known)?;
    let of_causes = loaded.iter().filter(|program| program.name.starts_with("why_"));
    Ok(of_causes.map(|program| program.id).collect())
}

fn screen(lab: &Lab, tmux: &Tmux) -> Result<()> {
    let known = programs::ids()?;
    // Programs come and go with their pane if the privileges to attach them stay.
    tmux.run(&line("--ascii --keep-privileges"))?;
    tmux.shows(&["1 overview", "WHAT", "% of ", "inserted", "q quit"])?;
    let (client, server) = traffic::udp(lab, 9001)?;
    // Each interval needs packets of its own.
    let request = || traffic::request(&client, &server);
    tmux.press("4")?;
    tmux.shows_after(&["4 sources", CLIENT], request)?;
    tmux.press("2")?;
    tmux.shows_after(&["2 flows", "192.168.34.11:9001"], request)?;
    let early = of_causes(&known)?;
    ensure!(
        early.is_empty(),
        "no pane has needed causes, but {early:?} are loaded"
    );
    tmux.press("Enter")?;
    tmux.shows(&["unreplied", "its last records", "udp"])?;
    tmux.press("Escape")?;
    causes(lab, tmux)?;
    let first = of_causes(&known)?;
    ensure!(!first.is_empty(), "the pane of causes has no programs");
    tmux.press("?")?;
    tmux.shows(&["another pane"])?;
    tmux.press("Escape")?;
    tmux.press("1")?;
    tmux.resize(40, 12)?;
    let screen = tmux.shows(&["1 overview", "packets", "q quit"])?;
    let lines: Vec<&str> = screen.lines().collect();
    ensure!(
        lines.len() <= 12 && lines.iter().all(|line| line.len() <= 40),
        "not 40x12:\n{screen}"
    );
    tmux.resize(80, 24)?;
    tmux.shows(&["insert_failed", "q quit"])?;
    wait::until("the programs of causes are gone, which no pane needs", || {
        Ok(of_causes(&known)?.is_empty())
    })?;
    tmux.press("3")?;
    tmux.shows(&["3 causes", "causes are counted for"])?;
    let again = of_causes(&known)?;
    ensure!(
        !again.is_empty() && again.is_disjoint(&first),
        "the pane of causes is shown again: {again:?}, before {first:?}"
    );
    tmux.press("q")?;
    is_restored(tmux)
}

/// The programs that count causes are attached when their pane is shown.
fn causes(lab: &Lab, tmux: &Tmux) -> Result<()> {
    let start = Instant::now();
    tmux.press("3")?;
    tmux.shows(&["3 causes", "causes are counted for"])?;
    println!(
        "the programs of causes were attached after {:.1?}",
        start.elapsed()
    );
    tmux.shows_after(&["invalid", "records"], || invalid(lab))?;
    tmux.press("p")?;
    tmux.press("Enter")?;
    tmux.shows(&["what to do:", "since the start, counted by records", "examples"])?;
    tmux.press("Escape")?;
    tmux.press("p")
}

fn ends_by_a_signal(tmux: &Tmux) -> Result<()> {
    tmux.run(&format!("NO_COLOR=1; export NO_COLOR; {}", line("")))?;
    tmux.shows(&["WHAT", "q quit"])?;
    let colored = tmux.colored()?;
    let color = (30..38)
        .map(|color| format!("\x1b[{color}m"))
        .find(|color| colored.contains(color));
    ensure!(color.is_none(), "NO_COLOR has {color:?}:\n{colored}");
    let pid = tmux.running("rsct")?;
    // SAFETY: a plain call with integers; the shell waits for the process, so the id is its own.
    ensure!(unsafe { libc::kill(pid, libc::SIGTERM) } == 0, "send SIGTERM");
    is_restored(tmux)
}

fn no_terminal(namespace: &Namespace) -> Result<()> {
    let refused = output(&mut namespace.rsct(&["top"]))?;
    let message = String::from_utf8_lossy(&refused.stderr);
    ensure!(
        refused.status.code() == Some(2) && message.contains("use -o text"),
        "{}\n{message}",
        refused.status
    );
    Ok(())
}
