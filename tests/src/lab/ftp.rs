//! An FTP conversation, from which the kernel's helper expects a data connection.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    thread,
};

use anyhow::{Context as _, Result, bail, ensure};

use super::{inside::inside, wait};
use crate::{native::namespace::Namespace, registry::Skip};

/// The port that the helper is assigned to.
pub const PORT: u16 = 21;
/// Another one, whose connections are in a zone.
pub const ZONED_PORT: u16 = 2121;
/// That zone.
pub const ZONE: &str = "5";

/// A namespace in which the kernel's helper reads packets to the two ports on its loopback device.
pub fn namespace() -> Result<Namespace> {
    let namespace = Namespace::new("ftp")?;
    namespace.sh("
        ip link set lo up
        modprobe -q nf_conntrack_ftp || true
        iptables -A INPUT -m conntrack --ctstate ESTABLISHED
        ip6tables -A INPUT -m conntrack --ctstate ESTABLISHED
    ")?;
    if let Err(error) = namespace.sh(&format!(
        "for tables in iptables ip6tables; do
            $tables -t raw -A OUTPUT -p tcp --dport {PORT} -j CT --helper ftp
        done
        for chain in OUTPUT PREROUTING; do
            iptables -t raw -A $chain -p tcp --dport {ZONED_PORT} -j CT --zone {ZONE} --helper ftp
            iptables -t raw -A $chain -p tcp --sport {ZONED_PORT} -j CT --zone {ZONE}
        done"
    )) {
        return Err(Skip(format!("this kernel has no helper for FTP: {error:#}")).into());
    }
    Ok(namespace)
}

/// Client, server and the connection between them, which stays open as long as this value lives.
pub struct Ftp {
    client: BufReader<TcpStream>,
    server: BufReader<TcpStream>,
    address: SocketAddr,
}

impl Ftp {
    /// Connects a client in the namespace to a server there.
    pub fn connect(namespace: &Namespace, host: &str, port: u16) -> Result<Self> {
        inside(&namespace.name, "ftp", || {
            let listener =
                TcpListener::bind((host, port)).with_context(|| format!("listen at {host}:{port}"))?;
            let address = listener.local_addr()?;
            let client = TcpStream::connect(address)?;
            let (server, _) = listener.accept()?;
            for stream in [&client, &server] {
                stream.set_read_timeout(Some(wait::DEADLINE))?;
                stream.set_nodelay(true)?;
            }
            let mut ftp = Self {
                client: BufReader::new(client),
                server: BufReader::new(server),
                address,
            };
            // The helper reads nothing before it has seen the end of a line.
            ftp.send(Side::Server, "220 at your service")?;
            Ok(ftp)
        })
    }

    /// The client's port.
    pub fn client_port(&self) -> Result<u16> {
        Ok(self.client.get_ref().local_addr()?.port())
    }

    /// The client requests a passive transfer, and the server answers with its address. The helper has read the answer
    /// when the client has.
    pub fn passive(&mut self, data_port: u16) -> Result<()> {
        match self.address {
            SocketAddr::V4(address) => {
                self.send(Side::Client, "PASV")?;
                let [a, b, c, d] = address.ip().octets();
                let [high, low] = data_port.to_be_bytes();
                let answer = format!("227 Entering Passive Mode ({a},{b},{c},{d},{high},{low})");
                self.send(Side::Server, &answer)
            }
            SocketAddr::V6(_) => {
                self.send(Side::Client, "EPSV")?;
                self.send(
                    Side::Server,
                    &format!("229 Entering Extended Passive Mode (|||{data_port}|)"),
                )
            }
        }
    }

    /// Opens the announced data connection.
    pub fn transfer(&self, namespace: &Namespace, data_port: u16) -> Result<()> {
        let address = SocketAddr::new(self.address.ip(), data_port);
        inside(&namespace.name, "ftp", || {
            let listener = TcpListener::bind(address)?;
            let server = thread::spawn(move || listener.accept());
            drop(TcpStream::connect(address)?);
            if server.join().is_err() {
                bail!("the server panicked");
            }
            Ok(())
        })
    }

    /// Sends a line, which the other side reads.
    fn send(&mut self, side: Side, line: &str) -> Result<()> {
        let (from, to) = match side {
            Side::Client => (&mut self.client, &mut self.server),
            Side::Server => (&mut self.server, &mut self.client),
        };
        // One write, one packet: the helper doesn't put packets together.
        from.get_mut().write_all(format!("{line}\r\n").as_bytes())?;
        let mut heard = String::new();
        to.read_line(&mut heard)
            .with_context(|| format!("wait for {line:?}"))?;
        ensure!(
            heard.trim_end() == line,
            "received {heard:?} where {line:?} was sent"
        );
        Ok(())
    }
}

#[derive(Clone, Copy)]
enum Side {
    Client,
    Server,
}
