//! The service manager's socket (`Type=notify`): one datagram for each state, as sd_notify(3) sends it.

use std::{
    env,
    ffi::OsStr,
    io,
    os::{
        linux::net::SocketAddrExt as _,
        unix::{
            ffi::OsStrExt as _,
            net::{SocketAddr, UnixDatagram},
        },
    },
};

/// A connection to the service manager, made before access to files is restricted. Dropping it reports the end.
#[derive(Debug)]
pub(crate) struct Notify(UnixDatagram);

impl Notify {
    /// Connects to the socket that `NOTIFY_SOCKET` names; none if no service manager waits.
    pub(super) fn from_environment() -> Option<Self> {
        let socket = env::var_os("NOTIFY_SOCKET").filter(|socket| !socket.is_empty())?;
        match connect(&socket) {
            Ok(socket) => Some(Self(socket)),
            Err(error) => {
                message!(
                    "cannot notify the service manager at {}: {error}",
                    socket.display()
                );
                None
            }
        }
    }

    /// Reports that the command has started.
    pub(super) fn ready(&self) {
        if let Err(error) = self.0.send(b"READY=1") {
            message!("cannot notify the service manager: {error}");
        }
    }
}

impl Drop for Notify {
    fn drop(&mut self) {
        // The service manager also sees the end of the process.
        let _ = self.0.send(b"STOPPING=1");
    }
}

/// Connects to a path, or to an abstract address, which begins with `@`.
fn connect(socket: &OsStr) -> io::Result<UnixDatagram> {
    let address = match socket.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
        _ => SocketAddr::from_pathname(socket)?,
    };
    let datagram = UnixDatagram::unbound()?;
    datagram.connect_addr(&address)?;
    Ok(datagram)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reports(listener: &UnixDatagram, socket: &OsStr) {
        let notify = Notify(connect(socket).unwrap());
        notify.ready();
        drop(notify);
        for expected in ["READY=1", "STOPPING=1"] {
            let mut buffer = [0; 64];
            let bytes = listener.recv(&mut buffer).unwrap();
            assert_eq!(&buffer[..bytes], expected.as_bytes());
        }
    }

    #[test]
    fn a_path_receives_both_states() {
        let path = env::temp_dir().join(format!("rsct-notify-{}", std::process::id()));
        let _ = std::fs::remove_file(&path);
        let listener = UnixDatagram::bind(&path).unwrap();
        reports(&listener, path.as_os_str());
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn an_abstract_address_receives_both_states() {
        let name = format!("rsct-notify-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let listener = UnixDatagram::bind_addr(&address).unwrap();
        reports(&listener, OsStr::new(&format!("@{name}")));
    }

    #[test]
    fn a_socket_that_nothing_listens_on_is_an_error() {
        assert!(connect(OsStr::new("/no/such/socket")).is_err());
    }
}
