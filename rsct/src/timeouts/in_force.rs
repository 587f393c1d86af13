//! The values in force in a namespace: over netlink, or through sysctl if the kernel lacks cttimeout.

use std::io;

use thiserror::Error;

use super::{Protocol, State};
use crate::{
    family::Family,
    kernel::{
        symbols::{self, Fate},
        sysctl::{Setting, Where},
    },
    names::proto::UDPLITE,
    netlink::{self, Socket, timeout},
};

/// Cause of a failure to read or change a namespace's timeouts.
#[derive(Debug, Error)]
#[non_exhaustive]
pub(crate) enum ValuesError {
    /// A netlink request failed.
    #[error(transparent)]
    Netlink(#[from] netlink::Error),
    /// A sysctl failed.
    #[error("{doing} {name}: {source}{}", hint(source))]
    Sysctl {
        /// The operation.
        doing: &'static str,
        /// The setting.
        name: String,
        /// The kernel's error.
        source: io::Error,
    },
    /// A sysctl's value is no number of seconds.
    #[error("reading {name}: its value {value:?} is no number of seconds")]
    NoNumber {
        /// The setting.
        name: String,
        /// Its value.
        value: String,
    },
    /// Only cttimeout can set this state.
    #[error(
        "setting {protocol}'s {state}: it has no sysctl, and this kernel has no cttimeout; run \
         `modprobe nfnetlink_cttimeout`, or use a kernel built with CONFIG_NF_CT_NETLINK_TIMEOUT"
    )]
    NoSysctl {
        /// The protocol.
        protocol: &'static str,
        /// The state.
        state: &'static str,
    },
}

/// A state's attribute and its seconds.
pub(crate) type StateValue = (u16, u32);

/// A namespace's timeouts.
pub(crate) struct TimeoutValues<'a> {
    /// A socket in the namespace.
    pub socket: &'a mut Socket,
    /// Its sysctls.
    pub at: Where<'a>,
}

impl TimeoutValues<'_> {
    /// A protocol's values, without states that can't be read. `None`: the kernel has no handler for the protocol.
    pub(crate) async fn read(&mut self, protocol: &Protocol) -> Result<Option<Vec<StateValue>>, ValuesError> {
        match timeout::defaults(self.socket, l3proto(protocol), protocol.number).await {
            Ok(timeouts) => Ok(Some(timeouts.values)),
            Err(error) if error.errno() == Some(libc::EOPNOTSUPP) => Ok(None),
            Err(error) if is_without_cttimeout(&error) => self.read_sysctls(protocol),
            Err(error) => Err(error.into()),
        }
    }

    /// Changes these values, all of them or none.
    pub(crate) async fn write(
        &mut self,
        protocol: &'static Protocol,
        values: &[StateValue],
    ) -> Result<(), ValuesError> {
        let timeouts = timeout::Timeouts {
            l3proto: l3proto(protocol),
            l4proto: protocol.number,
            values: values.to_vec(),
        };
        match timeout::set_defaults(self.socket, &timeouts).await {
            Err(error) if is_without_cttimeout(&error) => self.write_sysctls(protocol, values),
            written => Ok(written?),
        }
    }

    fn read_sysctls(&self, protocol: &Protocol) -> Result<Option<Vec<StateValue>>, ValuesError> {
        // Its sysctls are UDP's, which always exist.
        if protocol.number == UDPLITE && !has_udplite() {
            return Ok(None);
        }
        let names: Vec<_> = protocol.states.iter().filter_map(State::sysctl_name).collect();
        let settings = self.at.read(&names).map_err(failed("reading", &names[0]))?;
        let states = protocol.states.iter().filter(|state| state.sysctl.is_some());
        let mut values = Vec::new();
        for ((state, name), setting) in states.zip(&names).zip(settings) {
            if let Some(setting) = setting {
                values.push((state.attribute, seconds(name, setting)?));
            }
        }
        Ok((!values.is_empty()).then_some(values))
    }

    fn write_sysctls(&self, protocol: &'static Protocol, values: &[StateValue]) -> Result<(), ValuesError> {
        let named: Vec<(String, u32)> = values
            .iter()
            .map(|&(attribute, seconds)| {
                let state = protocol.state_of_attribute(attribute);
                let name = state.and_then(State::sysctl_name);
                let name = name.ok_or(ValuesError::NoSysctl {
                    protocol: protocol.name,
                    state: state.map_or("state", |state| state.name),
                })?;
                Ok((name, seconds))
            })
            .collect::<Result<_, ValuesError>>()?;
        let before = self.read_sysctls(protocol)?.unwrap_or_default();
        for (done, (name, seconds)) in named.iter().enumerate() {
            if let Err(source) = self.at.write(name, &seconds.to_string()) {
                self.put_back(&named[..done], &values[..done], &before);
                return Err(failed("writing", name)(source));
            }
        }
        Ok(())
    }

    /// Restores the values from before. Errors are ignored: the same sysctls were written a moment ago.
    fn put_back(&self, named: &[(String, u32)], values: &[StateValue], before: &[StateValue]) {
        for ((name, _), (attribute, _)) in named.iter().zip(values) {
            if let Some((_, seconds)) = before.iter().find(|(kind, _)| kind == attribute) {
                let _ = self.at.write(name, &seconds.to_string());
            }
        }
    }
}

/// Returns whether an error means that the kernel has no cttimeout: nfnetlink_rcv_msg() returns EINVAL for a subsystem that
/// it cannot load, and a well-formed request for defaults has no other cause for that error.
pub(crate) fn is_without_cttimeout(error: &netlink::Error) -> bool {
    error.errno() == Some(libc::EINVAL)
}

/// Returns whether the kernel has a handler for UDP-Lite. If it hides its symbols, the answer is yes: Linux has had one
/// from 2.6.25 to 6.18 at least.
fn has_udplite() -> bool {
    let fates = symbols::fates(&["nf_conntrack_udplite_packet"]).unwrap_or_default();
    fates.first() != Some(&Fate::Absent)
}

/// The family in requests for a protocol's defaults. They are the same for both.
fn l3proto(protocol: &Protocol) -> u16 {
    protocol.family().unwrap_or(Family::Ipv4) as u16
}

fn seconds(name: &str, setting: Setting) -> Result<u32, ValuesError> {
    let value = setting
        .value
        .map_err(|errno| failed("reading", name)(io::Error::from_raw_os_error(errno)))?;
    value.parse().map_err(|_| ValuesError::NoNumber {
        name: name.to_owned(),
        value,
    })
}

fn failed(doing: &'static str, name: &str) -> impl Fn(io::Error) -> ValuesError {
    let name = name.to_owned();
    move |source| ValuesError::Sysctl {
        doing,
        name: name.clone(),
        source,
    }
}

fn hint(source: &io::Error) -> &'static str {
    match source.raw_os_error() {
        Some(libc::EPERM | libc::EACCES) => "; run as root of the machine that the namespace belongs to",
        Some(libc::EROFS) => "; /proc/sys is mounted read-only here, as in many containers",
        _ => "",
    }
}
