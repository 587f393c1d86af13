//! `rsct top` in a terminal: panes, keys and the end; and its figures as JSON.

use anyhow::{Context as _, Result, ensure};

use crate::{
    guest::ATTACH,
    lab::{CLIENT, Lab, SERVER, Trace, pseudo_terminal::PseudoTerminal, raw, traffic, wait},
    native::namespace::{Namespace, output},
};

/// What switches a terminal to its other screen, and back.
const OPENED: &str = "\x1b[?1049h";
const CLOSED: &str = "\x1b[?1049l";

pub fn run() -> Result<()> {
    let lab = Lab::new()?.without_ipv6()?;
    figures(&lab)?;
    screen(&lab)?;
    ends_by_a_signal(&lab.server)?;
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

fn screen(lab: &Lab) -> Result<()> {
    let attach = attach();
    let mut screen = PseudoTerminal::start(&mut lab.server.rsct(&args(&["--ascii"], &attach)), 80, 24)?;
    screen.wait_for(OPENED)?;
    screen.wait_for("WHAT")?;
    let (client, server) = traffic::udp(lab, 9001)?;
    traffic::request(&client, &server)?;
    screen.press("4")?;
    // The next packets are in an interval of the pane.
    let mut sources = Err(anyhow::anyhow!("not tried"));
    wait::until("the sources are shown", || {
        traffic::request(&client, &server)?;
        sources = screen.wait_for(CLIENT);
        Ok(true)
    })?;
    sources?;
    screen.press("?")?;
    screen.wait_for("another")?;
    screen.press("q")?;
    screen.wait_for(CLOSED)?;
    ensure!(screen.ended()?.success(), "q is a good end");
    Ok(())
}

fn ends_by_a_signal(namespace: &Namespace) -> Result<()> {
    let attach = attach();
    let mut screen = PseudoTerminal::start(&mut namespace.rsct(&args(&[], &attach)), 40, 12)?;
    screen.wait_for("WHAT")?;
    screen.signal(libc::SIGTERM)?;
    screen.wait_for(CLOSED)?;
    ensure!(screen.ended()?.success(), "SIGTERM is a good end");
    Ok(())
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
