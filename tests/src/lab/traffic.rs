//! Packets between client and server that many scenarios need.

use std::{
    io::{Read as _, Write as _},
    net::{Shutdown, TcpListener, TcpStream, ToSocketAddrs, UdpSocket},
    thread,
};

use anyhow::{Context as _, Result, anyhow};

use super::{CLIENT, Lab, SERVER, undisturbed::undisturbed, wait};

/// A UDP socket of the client and one of the server at `port`. Neither waits forever.
pub fn udp(lab: &Lab, port: u16) -> Result<(UdpSocket, UdpSocket)> {
    let client = lab.on_client(|| Ok(UdpSocket::bind((CLIENT, 0))?))?;
    let server = lab.on_server(|| Ok(UdpSocket::bind((SERVER, port))?))?;
    client.set_read_timeout(Some(wait::DEADLINE))?;
    server.set_read_timeout(Some(wait::DEADLINE))?;
    Ok((client, server))
}

/// Sends one datagram without interruption by other tasks.
pub fn send(from: &UdpSocket, what: &[u8], to: impl ToSocketAddrs) -> Result<()> {
    undisturbed(|| {
        from.send_to(what, to)?;
        Ok(())
    })
}

/// Sends one datagram to the server, which receives it.
pub fn request(client: &UdpSocket, server: &UdpSocket) -> Result<()> {
    send(client, b"who is there?", server.local_addr()?)?;
    server.recv_from(&mut [0; 64]).context("wait for the question")?;
    Ok(())
}

/// Sends one datagram back to the client, which receives it.
pub fn reply(client: &UdpSocket, server: &UdpSocket) -> Result<()> {
    send(server, b"the server", client.local_addr()?)?;
    client.recv_from(&mut [0; 64]).context("wait for the answer")?;
    Ok(())
}

/// A whole TCP connection: a request to `to`:`port`, an answer from the server's port `listening`, and both close, the
/// client first. Returns the client's port.
pub fn tcp(lab: &Lab, to: &str, port: u16, listening: u16) -> Result<i64> {
    let listener = lab.on_server(|| Ok(TcpListener::bind((SERVER, listening))?))?;
    thread::scope(|scope| {
        let server = scope.spawn(|| {
            lab.on_server(|| {
                let (mut stream, _) = listener.accept()?;
                stream.read_to_end(&mut Vec::new())?;
                undisturbed(|| {
                    stream.write_all(b"42\n")?;
                    drop(stream);
                    Ok(())
                })
            })
        });
        let from = lab.on_client(|| {
            let mut stream = undisturbed(|| {
                TcpStream::connect((to, port)).with_context(|| format!("connect to {to}:{port}"))
            })?;
            undisturbed(|| {
                stream.write_all(b"6 * 7?\n")?;
                stream.shutdown(Shutdown::Write)?;
                Ok(())
            })?;
            stream.read_to_end(&mut Vec::new())?;
            Ok(i64::from(stream.local_addr()?.port()))
        })?;
        server.join().map_err(|_| anyhow!("the server panicked"))??;
        Ok(from)
    })
}
