//! Answers scrapes: a bounded number of clients at a time, each for a bounded time.

use std::{io, rc::Rc, sync::Arc, time::Duration};

use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::{sleep, timeout},
};

use super::exporter::Exporter;
use crate::metrics::{HEAD_BYTES, Head, Method, head};

/// Clients that are served at once; others wait in the kernel's queue.
const CLIENTS: usize = 64;
/// A client has this long to send its request …
const REQUEST: Duration = Duration::from_secs(2);
/// … and to read the answer.
const ANSWER: Duration = Duration::from_secs(5);
/// The pause after an error of the port, such as too many open files.
const PAUSE: Duration = Duration::from_millis(100);

const HELP: &[u8] = b"rsct metrics: see /metrics\n";
const PLAIN: &str = "text/plain; charset=utf-8";

/// Serves until it is dropped.
pub(super) async fn serve(listener: TcpListener, exporter: Rc<Exporter>) {
    let places = Arc::new(Semaphore::new(CLIENTS));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return;
        };
        match listener.accept().await {
            Ok((stream, _)) => {
                let exporter = Rc::clone(&exporter);
                tokio::task::spawn_local(async move {
                    if client(&stream, &exporter).await.is_err() {
                        exporter.cut_client();
                    }
                    drop(place);
                });
            }
            Err(_) => sleep(PAUSE).await,
        }
    }
}

/// Serves one client.
async fn client(stream: &TcpStream, exporter: &Exporter) -> io::Result<()> {
    let head = timeout(REQUEST, request(stream)).await??;
    let answer = Answer::to(head, exporter).await;
    timeout(ANSWER, answer.write(stream)).await?
}

/// Reads the head of a request; none if it is malformed or too long.
async fn request(stream: &TcpStream) -> io::Result<Option<Head>> {
    let mut bytes = Vec::with_capacity(1024);
    loop {
        stream.readable().await?;
        let mut more = [0; 1024];
        match stream.try_read(&mut more) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(count) => bytes.extend_from_slice(&more[..count]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
            Err(error) => return Err(error),
        }
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            return Ok(head(&bytes[..end + 4]));
        }
        if bytes.len() > HEAD_BYTES {
            return Ok(None);
        }
    }
}

/// An answer.
struct Answer {
    status: &'static str,
    content_type: &'static str,
    body: Rc<[u8]>,
    has_body: bool,
}

impl Answer {
    async fn to(head: Option<Head>, exporter: &Exporter) -> Self {
        let plain = |status, body: &[u8]| Self {
            status,
            content_type: PLAIN,
            body: body.into(),
            has_body: true,
        };
        let Some(head) = head else {
            return plain("400 Bad Request", b"the request is malformed or too long\n");
        };
        let answer = match (head.method, head.path.as_str()) {
            (Method::Other, _) => plain("405 Method Not Allowed", b"use GET\n"),
            (_, "/metrics") => Self {
                status: "200 OK",
                content_type: head.format.content_type(),
                body: exporter.text(head.format).await,
                has_body: true,
            },
            (_, "/") => plain("200 OK", HELP),
            _ => plain("404 Not Found", HELP),
        };
        Self {
            has_body: head.method != Method::Head,
            ..answer
        }
    }

    async fn write(&self, stream: &TcpStream) -> io::Result<()> {
        let head = format!(
            "HTTP/1.1 {}\r\nContent-Type: {}\r\nContent-Length: {}\r\nVary: Accept\r\nConnection: close\r\n\r\n",
            self.status,
            self.content_type,
            self.body.len()
        );
        write(stream, head.as_bytes()).await?;
        if self.has_body {
            write(stream, &self.body).await?;
        }
        Ok(())
    }
}

async fn write(stream: &TcpStream, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        stream.writable().await?;
        match stream.try_write(bytes) {
            Ok(count) => bytes = &bytes[count..],
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
