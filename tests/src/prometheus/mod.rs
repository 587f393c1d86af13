//! Debian's Prometheus scrapes `rsct metrics` while a table fills: the shipped alerts fire, each query of the shipped dashboard returns
//! data, and the source is the one that `rsct why full` names. `cargo xtask test --only prometheus` boots a guest with it.

mod server;

use std::{
    fs,
    net::UdpSocket,
    path::Path,
    process::{Command, ExitCode},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use self::server::Prometheus;
use crate::lab::{
    CLIENT, Lab, SERVER, Why,
    limit::{Limit, MAX},
    metrics::{Metrics, OPEN, UNTRACKED, get},
    traffic, wait,
};

const RULES: &str = include_str!("../../../docs/prometheus/rules.yaml");
const RULES_TEST: &str = include_str!("../../../docs/prometheus/rules_test.yaml");
const CONFIG: &str = include_str!("../../../docs/prometheus/prometheus.yaml");
const DASHBOARD: &str = include_str!("../../../docs/prometheus/dashboard.json");

/// The limit of the table.
const ENTRIES: u32 = 1000;
/// A second address of the client, with fewer flows.
const QUIET: &str = "192.168.34.13";
/// The alerts that a table which fills has to raise.
const ALERTS: [&str; 3] = ["RsctTableFullSoon", "RsctTableNearlyFull", "RsctTableFull"];

/// Runs it in a guest of its own.
pub fn run() -> ExitCode {
    let started = Instant::now();
    let ended = story();
    let seconds = started.elapsed().as_secs_f64();
    match ended {
        Ok(()) => {
            println!(
                "test prometheus_alerts_while_the_table_fills ... ok in {seconds:.2} s\n1 passed, 0 failed, 0 skipped"
            );
            ExitCode::SUCCESS
        }
        Err(error) => {
            for line in format!("{error:?}").lines() {
                println!("    {line}");
            }
            println!(
                "test prometheus_alerts_while_the_table_fills ... FAILED in {seconds:.2} s\n0 passed, 1 failed, 0 skipped"
            );
            ExitCode::FAILURE
        }
    }
}

fn story() -> Result<()> {
    let dir = std::env::temp_dir().join("rsct-prometheus");
    fs::create_dir_all(&dir)?;
    configure(&dir)?;
    promtool(&dir, &["check", "rules", "rules.yaml"])?;
    promtool(&dir, &["check", "config", "prometheus.yaml"])?;
    promtool(&dir, &["test", "rules", "rules_test.yaml"])?;

    let lab = Lab::new()?.without_ipv6()?.with_lasting_udp()?;
    lab.client.ip(&format!("addr add {QUIET}/24 dev eth0"))?;
    lab.client.nft(UNTRACKED)?;
    let metrics = Metrics::of(
        Command::new(crate::native::namespace::rsct()),
        "127.0.0.1:9477",
        &[
            "--netns",
            &lab.server.name,
            "--latency",
            "--compat",
            "node_exporter",
        ],
    )?;
    wait::until("causes are counted", || {
        Ok(metrics.scrape()?.sum("rsct_tracing_causes", &[]) == 1.0)
    })?;
    let _limit = Limit::set(MAX, ENTRIES)?;
    let prometheus = Prometheus::start(&dir)?;
    prometheus.query_until("Prometheus has scraped rsct", "up{job=\"rsct\"} == 1")?;

    let _server = lab.on_server(|| Ok(UdpSocket::bind((SERVER, 9000))?))?;
    let mut has_shown = false;
    let mut firing: Vec<String> = Vec::new();
    let start = Instant::now();
    while !ALERTS.iter().all(|alert| firing.iter().any(|of| of == alert)) {
        ensure!(
            start.elapsed() < Duration::from_secs(900),
            "only these alerts fire: {firing:?}\n{}",
            metrics.scrape()?.body
        );
        flows(&lab)?;
        for alert in prometheus.firing()? {
            if !firing.contains(&alert) {
                println!("{alert} fires after {:.0} s", start.elapsed().as_secs_f64());
                firing.push(alert);
            }
        }
        // While the table grows, the time until it is full is known.
        if !has_shown && firing.iter().any(|of| of == ALERTS[0]) {
            dashboard(&prometheus)?;
            has_shown = true;
        }
    }
    ensure!(
        !firing
            .iter()
            .any(|of| of == "RsctDoesNotTrace" || of == "RsctCannotRead"),
        "{firing:?}"
    );

    // With figures of everything.
    let text = metrics.scrape()?.body;
    fs::write(dir.join("metrics"), &text)?;
    let checked = Command::new("sh")
        .args(["-c", "promtool check metrics < metrics 2>&1"])
        .current_dir(&dir)
        .output()?;
    let said = String::from_utf8_lossy(&checked.stdout);
    // The names of node_exporter are its own.
    let complaints: Vec<&str> = said.lines().filter(|line| !line.starts_with("node_")).collect();
    ensure!(complaints.is_empty(), "promtool check metrics:\n{said}");
    let open = get("127.0.0.1:9477", "/metrics", OPEN)?;
    ensure!(open.body.ends_with("# EOF\n"), "{}", open.body);

    same_source(&lab, &prometheus)
}

fn configure(dir: &Path) -> Result<()> {
    // An emulated table fills within minutes.
    let config = CONFIG.replace("15s", "1s");
    for (name, text) in [
        ("rules.yaml", RULES),
        ("rules_test.yaml", RULES_TEST),
        ("prometheus.yaml", &config),
    ] {
        fs::write(dir.join(name), text).with_context(|| format!("write {name}"))?;
    }
    Ok(())
}

fn promtool(dir: &Path, args: &[&str]) -> Result<()> {
    let ended = Command::new("promtool")
        .args(args)
        .current_dir(dir)
        .output()
        .context("start promtool")?;
    ensure!(
        ended.status.success(),
        "promtool {args:?}: {}\n{}{}",
        ended.status,
        String::from_utf8_lossy(&ended.stdout),
        String::from_utf8_lossy(&ended.stderr)
    );
    Ok(())
}

/// Some flows of both sources.
fn flows(lab: &Lab) -> Result<()> {
    for (address, count) in [(QUIET, 1), (CLIENT, 9)] {
        for _ in 0..count {
            let socket = lab.on_client(|| Ok(UdpSocket::bind((address, 0))?))?;
            traffic::send(&socket, b"fill", (SERVER, 9000))?;
        }
    }
    thread::sleep(Duration::from_millis(500));
    Ok(())
}

/// Each query of the dashboard returns data.
fn dashboard(prometheus: &Prometheus) -> Result<()> {
    let dashboard: Value = serde_json::from_str(DASHBOARD)?;
    let panels = dashboard["panels"].as_array().context("no panels")?;
    let mut queries = 0;
    for panel in panels {
        for target in panel["targets"].as_array().into_iter().flatten() {
            let query = target["expr"].as_str().context("no query")?;
            let query = query.replace("$instance", ".*").replace("$__rate_interval", "1m");
            let data = prometheus.query(&query)?;
            ensure!(
                !data.is_empty(),
                "panel {}: {query} returns nothing",
                panel["title"]
            );
            queries += 1;
        }
    }
    println!("{queries} queries of the dashboard return data");
    ensure!(queries >= 15, "{queries} queries");
    Ok(())
}

/// The metric and `rsct why full` name the same source.
fn same_source(lab: &Lab, prometheus: &Prometheus) -> Result<()> {
    let query = "topk(1, rate(rsct_conntrack_source_new_entries_total{source!=\"other\"}[5m]))";
    let data = prometheus.query(query)?;
    let source = data.first().and_then(|one| one["metric"]["source"].as_str());
    let why = Why::start("full", &lab.server.name, &[])?;
    flows(lab)?;
    let answer = why.answer()?;
    let table = answer.other("table")?;
    let named = table.text("/sources/0/src");
    ensure!(named == CLIENT && source == Some(named), "{source:?} and {table}");
    Ok(())
}
