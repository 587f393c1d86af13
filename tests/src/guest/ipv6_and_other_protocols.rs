//! Every protocol with a conntrack handler, and one without, over IPv4 and IPv6.

use std::fs;

use anyhow::{Context as _, Result, ensure};

use crate::lab::{CLIENT, CLIENT_V6, Lab, SERVER, SERVER_V6, Trace, raw};

/// A first packet, with ports 5001 and 6001 where it has ports.
struct First {
    name: &'static str,
    number: u8,
    ports: bool,
    states: bool,
    bytes: &'static [u8],
}

const PORTS: [u8; 4] = [0x13, 0x89, 0x17, 0x71];

const FIRST: &[First] = &[
    First {
        name: "udp",
        number: 17,
        ports: true,
        states: false,
        bytes: &[0, 8, 0, 0],
    },
    First {
        name: "sctp",
        number: 132,
        ports: true,
        states: true,
        // Tag 0, no checksum, and an INIT chunk of twenty octets.
        bytes: &[
            0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 20, 0, 0, 0, 1, 0, 0, 0xff, 0xff, 0, 1, 0, 1, 0, 0, 0, 1,
        ],
    },
    First {
        name: "dccp",
        number: 33,
        ports: true,
        states: true,
        // Five words, a REQUEST with a long sequence number, and a service code.
        bytes: &[5, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1],
    },
    First {
        name: "udplite",
        number: 136,
        ports: true,
        states: false,
        // All of it is covered by a checksum, which must not be zero.
        bytes: &[0, 0, 0, 1],
    },
    First {
        name: "gre",
        number: 47,
        ports: false,
        states: false,
        bytes: &[0, 0, 8, 0],
    },
    First {
        name: "",
        number: 50,
        ports: false,
        states: false,
        bytes: &[0, 0, 1, 0, 0, 0, 0, 1],
    },
];

pub fn run() -> Result<()> {
    let lab = Lab::new()?;
    // Only the kernel's own transports can calculate these checksums.
    lab.server.sysctl("net/netfilter/nf_conntrack_checksum", "0")?;
    let symbols = fs::read_to_string("/proc/kallsyms").context("read /proc/kallsyms")?;
    let trace = Trace::start(&lab.server.name, &[])?;
    for first in FIRST {
        for (client, server) in [(CLIENT, SERVER), (CLIENT_V6, SERVER_V6)] {
            let handler = format!(" nf_conntrack_{}_packet", first.name);
            let has_handler = symbols.lines().any(|line| {
                line.split('\t')
                    .next()
                    .is_some_and(|line| line.ends_with(&handler))
            });
            is_created(&lab, &trace, first, has_handler, (client, server))
                .with_context(|| format!("protocol {} from {client}", first.number))?;
        }
    }
    Ok(())
}

fn is_created(
    lab: &Lab,
    trace: &Trace,
    first: &First,
    has_handler: bool,
    (client, server): (&str, &str),
) -> Result<()> {
    let ports: &[u8] = if first.ports { &PORTS } else { &[] };
    let packet = [ports, first.bytes].concat();
    lab.on_client(|| raw::send(first.number, server.parse()?, &packet))?;
    let created = trace.wait_for("its entry is created", |line| {
        let proto = if first.name.is_empty() {
            line.number("/orig/protonum") == Some(first.number.into())
        } else {
            line.text("/orig/proto") == first.name
        };
        proto && line.is_outcome("created") && line.text("/orig/src") == client
    })?;
    ensure!(created.text("/orig/dst") == server, "{created}");
    if has_handler && first.ports {
        ensure!(created.number("/orig/sport") == Some(5001), "{created}");
        ensure!(created.number("/orig/dport") == Some(6001), "{created}");
    }
    trace.wait_for("its entry is confirmed", |line| {
        line.is_event("confirm") && line.number("/flow") == created.number("/flow")
    })?;
    if has_handler && first.states {
        // Kernels differ in the state after a first packet.
        let state = created.text("/after/state");
        let family = if client.contains(':') { "ipv6" } else { "ipv4" };
        let listed = lab.server.conntrack(&["-f", family, "-p", first.name])?;
        ensure!(
            listed.split(' ').any(|word| word == state),
            "conntrack has another state\n{created}\n{listed}"
        );
    }
    Ok(())
}
