//! Packets of every kind that the documented commands print, sent again and again.

use std::{
    collections::BTreeSet,
    io,
    net::{SocketAddrV4, TcpListener, TcpStream, UdpSocket},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use anyhow::Result;

use super::{
    entries::Wanted,
    stage::{DELETED, DROPPED, PUBLIC, Stage, TCP_PORT},
};
use crate::lab::{CLIENT, SERVER, raw, traffic};

/// Pause between rounds.
const PAUSE: Duration = Duration::from_millis(300);
/// Each of these rounds has whole connections and the work of `conntrack`.
const SLOW_ROUND: u32 = 4;
/// A port whose flow is slower than the timeout that a page simulates.
const SLOW_PORT: u16 = 8889;
const SLOWNESS: Duration = Duration::from_millis(2600);
const LOOPBACK: &str = "127.0.0.1";
/// Any port for an option that names none.
const SOME_PORT: u16 = 5353;

/// Sends until `stop` is set.
pub fn send(stage: &Stage, stop: &AtomicBool) -> Result<()> {
    let wanted = &stage.wanted;
    let local = UdpSocket::bind((LOOPBACK, 0))?;
    let listeners = listeners(wanted);
    let to_documented = stage.lab.on_client(|| Ok(UdpSocket::bind((CLIENT, 0))?))?;
    let fixed = fixed(stage)?;
    let slow = stage.lab.on_client(|| Ok(UdpSocket::bind((CLIENT, 0))?))?;
    let mut slow_sent: Option<Instant> = None;
    for round in 0u32.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        for wanted in wanted.iter().filter(|wanted| wanted.proto != "tcp") {
            let port = wanted.dport.unwrap_or(SOME_PORT);
            // Such ports have no listener.
            let _ = local.send_to(b"question", (LOOPBACK, port));
            let _ = to_documented.send_to(b"question", (SERVER, port));
        }
        for (socket, port) in &fixed {
            let _ = socket.send_to(b"question", (SERVER, *port));
        }
        for listener in &listeners {
            connect(listener)?;
        }
        if slow_sent.is_none_or(|sent| sent.elapsed() > SLOWNESS) {
            let _ = slow.send_to(b"again", (SERVER, SLOW_PORT));
            slow_sent = Some(Instant::now());
        }
        let sent = through_lab(stage).and_then(|()| {
            if round.is_multiple_of(SLOW_ROUND) {
                slowly(stage)?;
            }
            Ok(())
        });
        // A command that is just being started still has a copy of a closed socket.
        if let Err(error) = sent
            && !error
                .downcast_ref()
                .is_some_and(|error: &io::Error| error.kind() == io::ErrorKind::AddrInUse)
        {
            return Err(error);
        }
        thread::sleep(PAUSE);
    }
    Ok(())
}

/// The client's sockets of flows whose both ports are documented, with the destination port.
fn fixed(stage: &Stage) -> Result<Vec<(UdpSocket, u16)>> {
    let mut sockets = Vec::new();
    for wanted in &stage.wanted {
        if let (Some(sport), Some(dport), Some(CLIENT)) = (wanted.sport, wanted.dport, wanted.src.as_deref())
        {
            let socket = stage.lab.on_client(|| Ok(UdpSocket::bind((CLIENT, sport))?))?;
            sockets.push((socket, dport));
        }
    }
    Ok(sockets)
}

/// Listeners of this namespace at the documented TCP ports that are free.
fn listeners(wanted: &BTreeSet<Wanted>) -> Vec<TcpListener> {
    let ports = wanted.iter().filter(|wanted| wanted.proto != "udp");
    let ports: BTreeSet<u16> = ports.filter_map(|wanted| wanted.dport).collect();
    let listener = |port| TcpListener::bind((LOOPBACK, port)).ok();
    ports.into_iter().filter_map(listener).collect()
}

fn connect(listener: &TcpListener) -> Result<()> {
    let from = TcpStream::connect(listener.local_addr()?)?;
    let (to, _) = listener.accept()?;
    drop(from);
    drop(to);
    Ok(())
}

/// UDP with a reply, a ping, an INVALID segment, a segment that a rule drops, and a flow through both routers.
fn through_lab(stage: &Stage) -> Result<()> {
    let (client, server) = traffic::udp(&stage.lab, 8888)?;
    traffic::request(&client, &server)?;
    stage.lab.on_server(|| traffic::reply(&client, &server))?;
    let from = SocketAddrV4::new(CLIENT.parse()?, 4000);
    let to = |port| -> Result<_> { Ok(SocketAddrV4::new(SERVER.parse()?, port)) };
    stage.lab.on_client(|| {
        raw::ping(SERVER.parse()?, 42)?;
        raw::tcp(from, to(TCP_PORT)?, raw::RST | raw::ACK, 1)?;
        raw::tcp(from, to(DROPPED)?, raw::SYN, 1)
    })?;
    traffic::request(&stage.routers.asking, &stage.routers.answering)?;
    traffic::reply(&stage.routers.asking, &stage.routers.answering)
}

/// TCP connections, one of them translated; an entry that `conntrack` deletes, and one that it cannot create.
fn slowly(stage: &Stage) -> Result<()> {
    traffic::tcp(&stage.lab, SERVER, TCP_PORT, TCP_PORT)?;
    traffic::tcp(&stage.lab, PUBLIC, 80, TCP_PORT)?;
    let (client, server) = traffic::udp(&stage.lab, DELETED)?;
    traffic::request(&client, &server)?;
    stage.lab.server.sh(&format!(
        "{{ conntrack -D -p udp --dport {DELETED}
            for entry in first second; do
                conntrack -I -p udp -s 10.0.0.9 -d 10.0.0.2 --sport 1 --dport 1 -t 60 || true
            done
        }} >/dev/null 2>&1"
    ))?;
    Ok(())
}
