//! `rsct metrics` over HTTP and in a file: formats, names of node_exporter, clients that disturb, and errors. On a machine where no
//! eBPF program can be attached, it exports the kernel's own counters.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    process::Command,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};

use super::{
    namespace::{Namespace, rsct, succeeds},
    save_and_load::Scratch,
};
use crate::{
    lab::{
        metrics::{Metrics, OPEN, get},
        wait,
    },
    sentence::one_sentence,
};

pub fn run() -> Result<()> {
    let namespace = Namespace::new("metrics")?;
    namespace.create("-p udp -s 10.0.0.1 -d 10.0.0.2 --sport 1 --dport 2 -t 600")?;
    let args = [
        "--netns",
        &namespace.name,
        "--compat",
        "node_exporter",
        "--interval",
        "1h",
    ];
    let metrics = Metrics::start(&args)?;
    formats(&metrics)?;
    requests(&metrics.address)?;
    many_clients(&metrics)?;
    silent_clients(&metrics)?;
    textfile(&namespace)?;
    errors(&metrics.address)?;
    ensure!(metrics.stop()? == Some(0), "rsct metrics failed");
    Ok(())
}

fn formats(metrics: &Metrics) -> Result<()> {
    let text = metrics.scrape()?;
    ensure!(
        text.head.contains("Content-Type: text/plain; version=0.0.4"),
        "{}",
        text.head
    );
    ensure!(!text.body.contains("# EOF"), "{}", text.body);
    let open = get(&metrics.address, "/metrics", OPEN)?;
    ensure!(
        open.head.contains("application/openmetrics-text; version=1.0.0"),
        "{}",
        open.head
    );
    ensure!(open.body.ends_with("\n# EOF\n"), "{}", open.body);
    for answer in [&text, &open] {
        ensure!(
            answer.sum("rsct_conntrack_entries", &[]) == 1.0,
            "{}",
            answer.body
        );
        ensure!(
            answer.sum("node_nf_conntrack_entries", &[]) == 1.0,
            "{}",
            answer.body
        );
        ensure!(
            answer.sum("node_nf_conntrack_entries_limit", &[]) > 1.0,
            "{}",
            answer.body
        );
        let ours = answer.series("rsct_conntrack_stat_total").len();
        ensure!(ours >= 8, "{ours} counters\n{}", answer.body);
    }
    let compat = text
        .body
        .lines()
        .filter(|line| line.starts_with("node_nf_conntrack_"));
    ensure!(compat.count() == 10, "{}", text.body);
    // Read at the scrape: no interval has passed.
    succeeds(Command::new(rsct()).args(["flush", "--netns", &netns(&text)?]))?;
    let entries = metrics.scrape()?.sum("rsct_conntrack_entries", &[]);
    ensure!(entries == 0.0, "{entries} entries after a flush");
    Ok(())
}

fn netns(answer: &crate::lab::metrics::Answer) -> Result<String> {
    let series = answer.series("rsct_conntrack_entries");
    let labels = &series.first().context("no entries")?.0;
    Ok(labels.get("netns").context("no netns")?.clone())
}

fn requests(address: &str) -> Result<()> {
    for (request, status) in [
        ("GET / HTTP/1.1\r\n\r\n", "200 OK"),
        ("GET /other HTTP/1.1\r\n\r\n", "404 Not Found"),
        ("POST /metrics HTTP/1.1\r\n\r\n", "405 Method Not Allowed"),
        ("nonsense\r\n\r\n", "400 Bad Request"),
        ("HEAD /metrics HTTP/1.1\r\n\r\n", "200 OK"),
    ] {
        let answer = raw(address, request.as_bytes())?;
        ensure!(
            answer.starts_with(&format!("HTTP/1.1 {status}\r\n")),
            "{request:?}: {answer}"
        );
        if request.starts_with("HEAD") {
            ensure!(answer.ends_with("\r\n\r\n"), "{answer}");
        }
    }
    let long = format!("GET / HTTP/1.1\r\nA: {}", "a".repeat(9000));
    let answer = raw(address, long.as_bytes())?;
    ensure!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    Ok(())
}

fn raw(address: &str, request: &[u8]) -> Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(wait::DEADLINE))?;
    stream.write_all(request)?;
    let mut answer = Vec::new();
    // The server closes a connection with unread bytes: the answer arrives, then an error.
    let _ = stream.read_to_end(&mut answer);
    Ok(String::from_utf8(answer)?)
}

/// 100 clients at once all get an answer.
fn many_clients(metrics: &Metrics) -> Result<()> {
    let start = Instant::now();
    let address = metrics.address.as_str();
    let longest = thread::scope(|scope| {
        let clients: Vec<_> = (0..100)
            .map(|_| {
                scope.spawn(move || {
                    let answer = get(address, "/metrics", "")?;
                    ensure!(answer.body.contains("rsct_metrics_series "), "{}", answer.body);
                    Ok(start.elapsed())
                })
            })
            .collect();
        let mut longest = Duration::ZERO;
        for client in clients {
            let ended = client.join().map_err(|_| anyhow::anyhow!("a client panicked"))?;
            longest = longest.max(ended?);
        }
        anyhow::Ok(longest)
    })?;
    println!("100 clients at once were answered within {longest:.1?}");
    Ok(())
}

/// Clients that send nothing, or never read, are disconnected, and others are served during that time.
fn silent_clients(metrics: &Metrics) -> Result<()> {
    let silent: Vec<TcpStream> = (0..40)
        .map(|_| TcpStream::connect(&metrics.address))
        .collect::<Result<_, _>>()?;
    let unread: Vec<TcpStream> = (0..20)
        .map(|_| {
            let mut stream = TcpStream::connect(&metrics.address)?;
            stream.write_all(b"GET /metrics HTTP/1.1\r\n\r\n")?;
            Ok(stream)
        })
        .collect::<Result<_>>()?;
    let start = Instant::now();
    metrics.scrape()?;
    println!("with 60 silent clients, a scrape lasts {:.1?}", start.elapsed());
    wait::until("the silent clients are disconnected", || {
        Ok(metrics.scrape()?.sum("rsct_metrics_clients_cut_total", &[]) >= silent.len() as f64)
    })?;
    drop((silent, unread));
    Ok(())
}

fn textfile(namespace: &Namespace) -> Result<()> {
    let file = Scratch::new("metrics.prom")?;
    let path = file.path();
    let args = ["--textfile", &path, "--interval", "50ms", "--duration", "1s"];
    let ended =
        succeeds(Command::new(rsct()).args([&["metrics", "--netns", &namespace.name][..], &args].concat()))?;
    ensure!(ended.is_empty(), "{ended}");
    let text = fs::read_to_string(&path)?;
    ensure!(text.contains("\nrsct_conntrack_entries{netns="), "{text}");
    ensure!(
        text.lines()
            .last()
            .is_some_and(|last| last.starts_with("rsct_metrics_series ")),
        "{text}"
    );
    Ok(())
}

fn errors(in_use: &str) -> Result<()> {
    let metrics = |args: &[&str]| {
        let mut command = Command::new(rsct());
        command.arg("metrics").args(args);
        command
    };
    one_sentence(
        &mut metrics(&["--listen", in_use]),
        1,
        "another program listens there",
    )?;
    let other = TcpListener::bind("127.0.0.1:0")?;
    let address = other.local_addr()?.to_string();
    one_sentence(
        &mut metrics(&["--listen", &address]),
        1,
        "select another port with --listen",
    )?;
    one_sentence(&mut metrics(&["--listen", "0.0.0.0:0"]), 2, "add --allow-remote")?;
    one_sentence(&mut metrics(&["--listen", "[::]:0"]), 2, "add --allow-remote")?;
    one_sentence(
        &mut metrics(&["--listen", "localhost"]),
        2,
        "expected an address with a port",
    )?;
    one_sentence(
        &mut metrics(&["--textfile", "/nowhere/a.prom"]),
        1,
        "cannot write /nowhere/a.prom",
    )?;
    one_sentence(
        &mut metrics(&["--textfile", "/tmp/a.prom", "--listen", "127.0.0.1:0"]),
        2,
        "cannot be used with",
    )?;
    one_sentence(&mut metrics(&["--interval", "0"]), 2, "longer than 0")?;
    one_sentence(
        &mut metrics(&["--listen", "127.0.0.1:0", "--netns", "rsct-no-such"]),
        1,
        "no such name",
    )
}
