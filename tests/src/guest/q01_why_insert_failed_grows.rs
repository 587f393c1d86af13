//! Question 1: why does `insert_failed` grow? A connection clashes with another entry, a reply tuple is in use, and
//! buckets are full.

use std::net::SocketAddrV4;

use anyhow::{Result, ensure};

use crate::{
    lab::{
        Lab, Recording, SERVER, Why, clash,
        counters::Counters,
        limit::{BUCKETS, Limit, MAX},
        raw, traffic,
    },
    native::{dying_are_listed::load, namespace::output},
};

/// The reply's port that every flow is mapped to.
const TAKEN: u16 = 5000;
/// More entries than a table of 512 buckets can hold: a chain of 80 is certainly too long, and each entry is in two.
const ENTRIES: u32 = 30_000;
const FEW_BUCKETS: u32 = 512;

pub fn run() -> Result<()> {
    let lab = Lab::new()?.without_ipv6()?;
    let before = Counters::of(&lab.client)?;
    let recording = Recording::start(&lab.client.name)?;
    let why = Why::start("insert", &lab.client.name, &[])?;
    let drops = Why::start("drop", &lab.client.name, &[])?;
    clash_refused(&lab)?;
    reply_taken(&lab)?;
    made_by_user_space(&lab)?;
    chain_too_long(&lab)?;
    before.must_have_grown(
        &lab.client,
        &[("insert_failed", 3), ("drop", 2), ("chaintoolong", 2)],
    )?;

    // `rsct why drop` reports these too.
    let dropped = drops.answer()?;
    dropped.met("clash", 2)?;
    dropped.met("not_inserted", 1)?;
    ensure!(dropped.counter("drop") == Some(2), "{}", dropped.told);
    dropped.agrees()?;

    let answer = why.answer()?;
    let refused = answer.met("clash_refused", 1)?;
    ensure!(refused.text("/top_flows/0/orig/proto") == "tcp", "{refused}");
    ensure!(
        refused.number("/example/orig/sport") == Some(i64::from(clash::PORT))
            && refused.number("/example/clashed_with/orig/sport") == Some(i64::from(clash::PORT)),
        "{refused}"
    );
    // Two flows, of which the first has the reply's tuple.
    let unresolved = answer.met("clash_unresolved", 1)?;
    ensure!(
        unresolved.number("/example/orig/sport") == Some(4003)
            && unresolved.number("/example/clashed_with/orig/sport") == Some(4002)
            && unresolved.number("/example/reply/dport") == Some(i64::from(TAKEN))
            && unresolved.number("/example/clashed_with/reply/dport") == Some(i64::from(TAKEN)),
        "{unresolved}"
    );
    let exists = answer.met("exists", 2)?;
    for task in ["/tasks/0/comm", "/tasks/1/comm"] {
        ensure!(exists.text(task) == "conntrack", "{exists}");
    }
    ensure!(exists.text("/example/orig/src") == "10.0.0.2", "{exists}");
    let long = answer.met("chain_too_long", 1)?;
    ensure!(long.text("/example/orig/dst") == SERVER, "{long}");
    let by_hand = answer.met("create_chain_too_long", 1)?;
    ensure!(by_hand.text("/tasks/0/comm") == "conntrack", "{by_hand}");
    ensure!(
        answer.counter("insert_failed") == Some(3) && answer.counter("chaintoolong") == Some(2),
        "{}",
        answer.told
    );
    answer.agrees()?;

    let recorded = recording.stop()?;
    recorded.must_equal("insert", &answer)?.agrees_unless_skipped()?;
    recorded.must_equal("drop", &dropped)?.agrees_unless_skipped()
}

/// Of TCP's two first packets one is dropped: the protocol allows no clash.
fn clash_refused(lab: &Lab) -> Result<()> {
    // A reset would delete the first one's entry.
    lab.server.sh("nft add rule inet lab input tcp dport 80 drop")?;
    let mut queue = clash::hold(&lab.client, "tcp", &[])?;
    let to = SocketAddrV4::new(SERVER.parse()?, 80);
    for seq in [1, 1000] {
        lab.on_client(|| raw::tcp(clash::client(clash::PORT), to, raw::SYN, seq))?;
    }
    queue.wait_for(2)?;
    queue.accept_all()
}

/// Two flows get the same reply tuple, as their rule has only one port.
fn reply_taken(lab: &Lab) -> Result<()> {
    lab.client.sh(&format!(
        "nft add table ip story
        nft 'add chain ip story postrouting {{ type nat hook postrouting priority srcnat; }}'
        nft add rule ip story postrouting udp dport 53 snat to :{TAKEN}"
    ))?;
    let mut queue = clash::hold(&lab.client, "udp", &[TAKEN])?;
    for port in [4002, 4003] {
        traffic::send(&clash::socket(lab, port)?, b"both the same", (SERVER, 53))?;
    }
    queue.wait_for(2)?;
    queue.accept_all()
}

/// The same by `conntrack -I`. The kernel does not count it, and returns the error to the caller.
fn made_by_user_space(lab: &Lab) -> Result<()> {
    let entry = |src: &str| {
        format!(
            "-p udp -s {src} -d 10.0.1.1 --sport 1 --dport 53 -r 10.0.1.1 -q 10.0.2.2 --reply-port-src 53 --reply-port-dst 9 -t 60"
        )
    };
    lab.client.create(&entry("10.0.0.1"))?;
    let mut again = lab.client.command("conntrack", &["-I"]);
    let ended = output(again.args(entry("10.0.0.2").split_whitespace()))?;
    let said = String::from_utf8_lossy(&ended.stderr);
    ensure!(
        !ended.status.success() && said.contains("Such conntrack exists"),
        "an entry with a reply that is taken: {said}"
    );
    // An entry with the same tuples is found before another is made.
    let mut same = lab.client.command("conntrack", &["-I"]);
    let ended = output(same.args(entry("10.0.0.1").split_whitespace()))?;
    ensure!(!ended.status.success(), "an entry that is there already was made");
    Ok(())
}

/// A table with far too few buckets for its entries accepts no new one.
fn chain_too_long(lab: &Lab) -> Result<()> {
    let _room = Limit::set(MAX, 2 * ENTRIES)?;
    let lines: String = (0..ENTRIES)
        .map(|n| {
            let (high, low) = (n / 250, n % 250);
            format!("-I -p udp -s 10.0.{high}.{low} -d 10.1.0.1 --sport 1000 --dport 53 -t 300\n")
        })
        .collect();
    load(&lab.client, &lines)?;
    let socket = clash::socket(lab, 0)?;
    let few = Limit::set(BUCKETS, FEW_BUCKETS)?;
    // The packet is dropped, and its sender gets an error.
    let sent = socket.send_to(b"nowhere to go", (SERVER, 54));
    let by_hand = output(
        lab.client
            .command("conntrack", &["-I"])
            .args("-p udp -s 10.9.0.1 -d 10.1.0.1 --sport 1000 --dport 53 -t 60".split_whitespace()),
    )?;
    drop(few);
    ensure!(sent.is_err(), "the packet was sent: {sent:?}");
    let said = String::from_utf8_lossy(&by_hand.stderr);
    ensure!(
        said.contains("No space left on device"),
        "an entry made by conntrack: {said}"
    );
    Ok(())
}
