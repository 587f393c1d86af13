//! The place that metrics are written to: a port, or a file.

use std::{
    io,
    net::{SocketAddr, TcpListener as Bound},
    path::{Path, PathBuf},
    rc::Rc,
    time::Duration,
};

use tokio::net::TcpListener;

use super::{super::UsageError, each, exporter::Exporter, server, textfile};
use crate::outside::shown;

/// An open outlet.
pub(super) enum Outlet {
    /// A port, with its address.
    Port(TcpListener, SocketAddr),
    /// A file.
    File(PathBuf),
}

/// Parses the value of `--listen`.
pub(super) fn parse_address(text: &str) -> Result<SocketAddr, String> {
    text.parse()
        .map_err(|_| "expected an address with a port, such as 127.0.0.1:9477 or [::1]:9477".to_owned())
}

impl Outlet {
    /// Binds the port, or checks that the file can be written.
    pub(super) async fn open(
        address: SocketAddr,
        allow_remote: bool,
        file: Option<&Path>,
    ) -> anyhow::Result<Self> {
        if let Some(file) = file {
            textfile::can_write(file)?;
            return Ok(Self::File(file.to_owned()));
        }
        if !allow_remote && !address.ip().to_canonical().is_loopback() {
            return Err(UsageError(format!(
                "cannot listen on {address}: other hosts could read the addresses in the metrics, without encryption and \
                 password; add --allow-remote, or let a proxy of this host serve 127.0.0.1"
            ))
            .into());
        }
        let bound = bind(address).map_err(|error| anyhow::anyhow!("{}", complaint(address, &error)))?;
        let address = bound.local_addr()?;
        Ok(Self::Port(TcpListener::from_std(bound)?, address))
    }

    /// The place, for a message.
    pub(super) fn place(&self) -> String {
        match self {
            Self::Port(_, address) => format!("at http://{address}/metrics"),
            Self::File(file) => format!("in {}", shown(file.as_os_str().as_encoded_bytes())),
        }
    }

    /// Serves, and reads the kernel's counters at each interval: they must not wrap around twice between two scrapes.
    pub(super) async fn serve(self, exporter: Rc<Exporter>, interval: Duration) {
        match self {
            Self::Port(listener, _) => {
                let reading = each(interval, async || exporter.read().await);
                let serving = server::serve(listener, Rc::clone(&exporter));
                tokio::join!(reading, serving);
            }
            Self::File(file) => {
                let mut complaints = textfile::Complaints::default();
                each(interval, async || {
                    let text = exporter.text(crate::metrics::Format::Prometheus).await;
                    complaints.report(textfile::write(&file, &text));
                })
                .await;
            }
        }
    }
}

fn bind(address: SocketAddr) -> io::Result<Bound> {
    let listener = Bound::bind(address)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

fn complaint(address: SocketAddr, error: &io::Error) -> String {
    let reason = match error.kind() {
        io::ErrorKind::AddrInUse => {
            "another program listens there (`ss -ltnp` names it): end it, or select another port with --listen".to_owned()
        }
        io::ErrorKind::AddrNotAvailable => "no interface of this host has this address".to_owned(),
        io::ErrorKind::PermissionDenied => {
            "a port below 1024 needs the capability CAP_NET_BIND_SERVICE: select a higher one with --listen".to_owned()
        }
        _ => error.to_string(),
    };
    format!("cannot listen on {address}: {reason}")
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn opened(address: &str, allow_remote: bool) -> Result<Outlet, anyhow::Error> {
        Outlet::open(parse_address(address).unwrap(), allow_remote, None).await
    }

    fn error(address: &str, allow_remote: bool) -> anyhow::Error {
        let event_loop = crate::waiting::event_loop().unwrap();
        match event_loop.block_on(opened(address, allow_remote)) {
            Ok(outlet) => panic!("{}", outlet.place()),
            Err(error) => error,
        }
    }

    #[test]
    fn only_loopback_is_allowed_without_a_word() {
        for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:9477", "[::ffff:10.0.0.1]:1"] {
            let error = error(address, false);
            assert!(error.is::<UsageError>(), "{error}");
            assert!(error.to_string().contains("--allow-remote"), "{error}");
        }
        let event_loop = crate::waiting::event_loop().unwrap();
        for (address, allow_remote) in [
            ("127.0.0.1:0", false),
            ("127.8.8.8:0", false),
            ("0.0.0.0:0", true),
        ] {
            let outlet = event_loop.block_on(opened(address, allow_remote)).unwrap();
            assert!(!outlet.place().contains(":0/"), "{}", outlet.place());
        }
    }

    #[test]
    fn a_port_in_use_is_named() {
        let other = Bound::bind("127.0.0.1:0").unwrap();
        let address = other.local_addr().unwrap().to_string();
        let error = error(&address, false).to_string();
        assert!(
            error.contains(&address) && error.contains("another program listens there"),
            "{error}"
        );
    }

    #[test]
    fn a_foreign_address_is_named() {
        let error = error("192.0.2.1:0", true).to_string();
        assert!(
            error.contains("no interface of this host has this address"),
            "{error}"
        );
    }

    #[test]
    fn an_address_needs_a_port() {
        for text in [
            "",
            "9477",
            "localhost",
            "127.0.0.1",
            "127.0.0.1:http",
            "127.0.0.1:70000",
        ] {
            assert!(parse_address(text).is_err(), "{text}");
        }
    }
}
