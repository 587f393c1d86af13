//! TCP sets a shorter timeout than the state's while data is unacknowledged, and for a connection that is picked up in
//! its middle; rsct reports both.

use std::{
    io::{Read as _, Write as _},
    net::{Ipv4Addr, SocketAddrV4, TcpListener, TcpStream},
};

use anyhow::{Result, ensure};

use crate::lab::{CLIENT, Lab, Line, SERVER, Trace, raw};

const PORT: u16 = 8080;

pub fn run() -> Result<()> {
    let lab = Lab::new()?;
    let trace = Trace::start(&lab.server.name, &[])?;
    let listener = lab.on_server(|| Ok(TcpListener::bind((SERVER, PORT))?))?;
    let mut client = lab.on_client(|| Ok(TcpStream::connect((SERVER, PORT))?))?;
    let (mut server, _) = listener.accept()?;
    let from = i64::from(client.local_addr()?.port());
    let ours = |line: &Line| line.is_packet() && line.number("/orig/sport") == Some(from);

    let open = trace.wait_for("the connection is open", |line| {
        ours(line) && line.text("/after/state") == "ESTABLISHED"
    })?;
    ensure!(
        open.text("/timeout_source/sysctl") == "net.netfilter.nf_conntrack_tcp_timeout_established"
            && !open.has("/timeout_source/reduction"),
        "{open}"
    );
    client.write_all(b"hello")?;
    server.read_exact(&mut [0; 5])?;
    let waiting = trace.wait_for("data is unacknowledged", |line| {
        ours(line) && line.text("/timeout_source/reduction") == "unacknowledged"
    })?;
    ensure!(
        waiting.text("/timeout_source/sysctl") == "net.netfilter.nf_conntrack_tcp_timeout_unacknowledged",
        "{waiting}"
    );
    ensure!(waiting.is_about_seconds("/after/timeout_ms", 300), "{waiting}");

    // A segment in the middle of an unknown connection.
    let somewhere = SocketAddrV4::new(CLIENT.parse::<Ipv4Addr>()?, 7777);
    let port_closed = SocketAddrV4::new(SERVER.parse::<Ipv4Addr>()?, 9);
    // An answer would end it at once, so conntrack must not see it.
    lab.server
        .sh("iptables -t raw -A OUTPUT -p tcp --sport 9 -j DROP")?;
    lab.on_client(|| raw::tcp(somewhere, port_closed, raw::ACK, 1))?;
    let picked_up = trace.wait_for("a connection is picked up", |line| {
        line.number("/orig/sport") == Some(7777) && line.is_outcome("created")
    })?;
    ensure!(
        picked_up.text("/timeout_source/reduction") == "picked_up",
        "{picked_up}"
    );
    ensure!(
        picked_up.is_about_seconds("/after/timeout_ms", 300),
        "{picked_up}"
    );

    // The same segment again and again, as often as the namespace allows and once more.
    for _ in 0..4 {
        lab.on_client(|| raw::tcp(somewhere, port_closed, raw::ACK, 1))?;
    }
    let again = trace.wait_for("it was sent again too often", |line| {
        line.number("/orig/sport") == Some(7777)
            && line.text("/timeout_source/reduction") == "retransmissions"
    })?;
    ensure!(
        again.text("/timeout_source/sysctl") == "net.netfilter.nf_conntrack_tcp_timeout_max_retrans",
        "{again}"
    );

    // A socket that is closed with something unread resets its connection.
    server.write_all(b"unread")?;
    client.peek(&mut [0; 1])?;
    drop(client);
    let reset = trace.wait_for("the connection is reset", |line| {
        ours(line) && line.text("/after/state") == "CLOSE"
    })?;
    ensure!(
        reset.text("/timeout_source/sysctl") == "net.netfilter.nf_conntrack_tcp_timeout_close",
        "{reset}"
    );
    ensure!(reset.is_about_seconds("/after/timeout_ms", 10), "{reset}");

    let ended = trace.stop()?;
    ensure!(
        ended.summary()?.number("/lost_total") == Some(0),
        "{}",
        ended.told()
    );
    // The source of every timeout is known.
    let unknown = ended
        .lines
        .iter()
        .find(|line| line.text("/timeout_source/setter") == "unknown");
    ensure!(
        unknown.is_none(),
        "{}",
        unknown.map(ToString::to_string).unwrap_or_default()
    );
    Ok(())
}
