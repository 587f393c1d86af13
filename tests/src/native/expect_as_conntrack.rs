//! Expectations that the kernel's FTP helper made are printed as by `conntrack -L expect`, and created, deleted and
//! flushed.

use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::{
    namespace::{Namespace, output, succeeds},
    table::same_since,
};
use crate::lab::ftp::{self, Ftp, PORT, ZONE, ZONED_PORT};

pub fn run() -> Result<()> {
    agree(&ftp::namespace()?)
}

/// Checks that the two tools agree in this namespace, and that rsct's changes are made.
pub fn agree(namespace: &Namespace) -> Result<()> {
    let empty = output(&mut namespace.rsct(&["expect", "list"]))?;
    ensure!(empty.status.success() && empty.stdout.is_empty(), "{empty:?}");
    ensure!(
        empty.stderr == b"rsct: 0 expectations have been shown.\n",
        "{empty:?}"
    );
    let mut v4 = Ftp::connect(namespace, "127.0.0.1", PORT)?;
    v4.passive(50001)?;
    let mut v6 = Ftp::connect(namespace, "::1", PORT)?;
    v6.passive(50002)?;
    shown(namespace, &v4)?;
    created(namespace, &v4)?;
    deleted(namespace, &mut v4)?;
    met(namespace, &mut v4)?;
    flushed(namespace, &mut v4)?;
    in_a_zone(namespace)
}

/// Standard output of `rsct expect` with these options; it must succeed.
fn expect(namespace: &Namespace, options: &str) -> Result<String> {
    let args: Vec<&str> = std::iter::once("expect").chain(options.split(' ')).collect();
    succeeds(&mut namespace.rsct(&args))
}

fn shown(namespace: &Namespace, v4: &Ftp) -> Result<()> {
    let begun = Instant::now();
    // conntrack shows one family at a time.
    for family in ["ipv4", "ipv6"] {
        let theirs = namespace.sh(&format!("conntrack -L expect -f {family}"))?;
        ensure!(theirs.lines().count() == 1, "by conntrack's own word: {theirs}");
        same_since(begun, &expect(namespace, &format!("list -f {family}"))?, &theirs)?;
        let theirs = namespace.sh(&format!("conntrack -L expect -f {family} -o xml"))?;
        let ours = expect(namespace, &format!("list -f {family} -o xml"))?;
        ensure!(
            without_timeout(&ours)? == without_timeout(&theirs)?,
            "{ours}conntrack:\n{theirs}"
        );
    }
    ensure!(expect(namespace, "list")?.lines().count() == 2, "both families");

    let port = v4.client_port()?;
    let json: Value = serde_json::from_str(&expect(namespace, "list -s 127.0.0.1 -o json")?)?;
    let expected = json!({
        "family": "ipv4",
        "tuple": {"proto": "tcp", "protonum": 6, "src": "127.0.0.1", "dst": "127.0.0.1", "sport": 0,
                  "dport": 50001},
        "mask": {"src": "255.255.255.255", "dst": "255.255.255.255", "sport": 0, "dport": 65535},
        "master": {
            "proto": "tcp", "protonum": 6, "src": "127.0.0.1", "dst": "127.0.0.1", "sport": port, "dport": PORT
        },
        "flags": [], "class": 0, "helper": "ftp",
    });
    for (key, value) in expected.as_object().context("an object")? {
        ensure!(json[key] == *value, "{key}: {json}");
    }
    let left = json["timeout_s"].as_u64();
    ensure!(left.is_some_and(|left| (1..=300).contains(&left)), "{json}");

    let id = json["id"].as_u64().context("an id")?;
    for (filter, count) in [
        (format!("--id {id}"), 1),
        (format!("--sport {port} --helper ftp"), 1),
        ("--tuple-port-dst 50002".to_owned(), 1),
        ("--tuple-proto tcp --class 0 -p tcp".to_owned(), 2),
        ("--helper tftp".to_owned(), 0),
    ] {
        let lines = expect(namespace, &format!("list {filter}"))?;
        ensure!(lines.lines().count() == count, "{filter}: {lines}");
    }
    let all = succeeds(
        std::process::Command::new(super::namespace::rsct()).args(["expect", "list", "--netns", "all"]),
    )?;
    let mine = all.lines().filter(|line| line.starts_with(&namespace.name));
    ensure!(mine.count() == 2, "{all}");
    Ok(())
}

/// Created by user space: another protocol than its master's, a mask, a timeout and flags, which conntrack has no
/// options for.
fn created(namespace: &Namespace, v4: &Ftp) -> Result<()> {
    let begun = Instant::now();
    let master = format!(
        "-p tcp -s 127.0.0.1 -d 127.0.0.1 --sport {} --dport {PORT}",
        v4.client_port()?
    );
    expect(
        namespace,
        &format!(
            "create {master} --tuple-proto udp --tuple-src 10.3.0.0 --mask-src 255.255.0.0 --tuple-dst 10.0.0.2 \
             --tuple-port-dst 2001 --permanent --inactive --timeout 1000 --class 0"
        ),
    )?;
    let theirs = namespace.sh("conntrack -L expect")?;
    let made = theirs.lines().find(|line| line.contains(" dport=2001 "));
    let fields = "proto=17 src=10.3.0.0 dst=10.0.0.2 sport=0 dport=2001 mask-src=255.255.0.0 mask-dst=255.255.255.255 \
                  sport=0 dport=65535 master-src=127.0.0.1 master-dst=127.0.0.1 ";
    ensure!(
        made.is_some_and(|made| made.contains(fields)
            && made.contains(" PERMANENT,INACTIVE class=0 helper=ftp")
            && timeout(made).is_some_and(|seconds| (700..=1000).contains(&seconds))),
        "{theirs}"
    );
    same_since(begun, &expect(namespace, "list -f ipv4")?, &theirs)
}

fn deleted(namespace: &Namespace, v4: &mut Ftp) -> Result<()> {
    let begun = Instant::now();
    v4.passive(50003)?;
    let listed = expect(namespace, "list --tuple-port-dst 50003")?;
    let would = expect(namespace, "delete --tuple-port-dst 50003 --dry-run")?;
    same_since(begun, &would, &listed)?;
    same_since(
        begun,
        &expect(namespace, "delete --tuple-port-dst 50003")?,
        &listed,
    )?;
    let theirs = namespace.sh("conntrack -L expect")?;
    ensure!(!theirs.contains("50003"), "still there: {theirs}");
    let again = output(&mut namespace.rsct(&["expect", "delete", "--tuple-port-dst", "50003"]))?;
    ensure!(again.status.code() == Some(1), "{again:?}");
    ensure!(
        again.stderr == b"rsct: 0 expectations have been deleted.\n",
        "{again:?}"
    );
    Ok(())
}

/// The expected connection is opened, and its master is recognised.
fn met(namespace: &Namespace, v4: &mut Ftp) -> Result<()> {
    v4.passive(50004)?;
    let listed = expect(namespace, "list --tuple-port-dst 50004")?;
    ensure!(listed.lines().count() == 1, "{listed}");
    v4.transfer(namespace, 50004)?;
    let listed = expect(namespace, "list --tuple-port-dst 50004")?;
    ensure!(listed.is_empty(), "still expected: {listed}");
    let entry: Value = serde_json::from_str(&namespace.list(&["--dport", "50004", "-o", "json"])?)?;
    ensure!(entry["master"]["dport"] == PORT, "{entry}");
    Ok(())
}

fn flushed(namespace: &Namespace, v4: &mut Ftp) -> Result<()> {
    let begun = Instant::now();
    v4.passive(50005)?;
    let listed = expect(namespace, "list")?;
    let count = listed.lines().count();
    ensure!(count >= 2, "{listed}");
    let none = expect(namespace, "flush --helper tftp")?;
    ensure!(none.is_empty(), "{none}");
    same_since(begun, &expect(namespace, "flush --dry-run")?, &listed)?;
    let flushed = output(&mut namespace.rsct(&["expect", "flush", "--helper", "ftp", "-q"]))?;
    let summary = format!("rsct: {count} expectations have been deleted.\n");
    ensure!(
        flushed.stdout.is_empty() && flushed.stderr == summary.as_bytes(),
        "{flushed:?}"
    );
    let theirs = namespace.sh("conntrack -L expect; conntrack -L expect -f ipv6")?;
    ensure!(theirs.is_empty(), "still there: {theirs}");
    v4.passive(50006)?;
    let gone = expect(namespace, "flush")?;
    ensure!(
        gone.lines().count() == 1 && gone.contains("dport=50006"),
        "{gone}"
    );
    Ok(())
}

/// The kernel never reports the zone of an expectation, and requires it to delete one.
fn in_a_zone(namespace: &Namespace) -> Result<()> {
    let mut ftp = Ftp::connect(namespace, "127.0.0.1", ZONED_PORT)?;
    ftp.passive(50007)?;
    for (zone, count) in [(ZONE, 1), ("6", 0), ("0", 0)] {
        let listed = expect(namespace, &format!("list -w {zone}"))?;
        ensure!(listed.lines().count() == count, "in zone {zone}: {listed}");
    }
    let elsewhere = output(&mut namespace.rsct(&["expect", "delete", "--helper", "ftp", "-w", "6"]))?;
    ensure!(elsewhere.status.code() == Some(1), "{elsewhere:?}");
    let gone = expect(namespace, "delete --tuple-port-dst 50007")?;
    ensure!(gone.lines().count() == 1, "{gone}");
    ensure!(expect(namespace, "list")?.is_empty(), "still there");
    Ok(())
}

/// The seconds left, 300 at first by the helper's policy.
fn timeout(line: &str) -> Option<u32> {
    line.split(' ').next()?.parse().ok()
}

/// XML but for the seconds left.
fn without_timeout(xml: &str) -> Result<String> {
    let (before, rest) = xml.split_once("<timeout>").context("a timeout")?;
    let (_, after) = rest.split_once("</timeout>").context("its end")?;
    Ok(format!("{before}{after}"))
}
