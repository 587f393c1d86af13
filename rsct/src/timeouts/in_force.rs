//! The values in force in a namespace: over netlink, or where the kernel lacks cttimeout, through sysctl.

use std::io;

use thiserror::Error;

use super::{Protocol, State};
use crate::{
    family::Family,
    flow::names::proto::UDPLITE,
    kernel::{
        symbols::{self, Fate},
        sysctl::{Setting, Where},
    },
    netlink::{self, Socket, timeout},
};

/// Why a namespace's timeouts can't be read or changed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ValuesError {
    /// Over netlink.
    #[error(transparent)]
    Netlink(#[from] netlink::Error),
    /// A setting.
    #[error("{doing} {name}: {source}{}", hint(source))]
    Sysctl {
        /// What was tried.
        doing: &'static str,
        /// The setting.
        name: String,
        /// What the kernel said.
        source: io::Error,
    },
    /// A setting says something that is no number of seconds.
    #[error("reading {name}: it says {value:?}, which is no number of seconds")]
    NoNumber {
        /// The setting.
        name: String,
        /// What it says.
        value: String,
    },
    /// A state that only cttimeout reaches.
    #[error(
        "setting {protocol}'s {state}: no sysctl has it, and this kernel has no cttimeout; run \
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
pub type Value = (u16, u32);

/// A namespace's timeouts.
pub struct Values<'a> {
    /// A socket that is open there.
    pub socket: &'a mut Socket,
    /// The way to its settings.
    pub at: Where<'a>,
}

impl Values<'_> {
    /// A protocol's values; a state that can't be reached is left out. `None`: the kernel has no handler for the
    /// protocol.
    pub async fn read(&mut self, protocol: &Protocol) -> Result<Option<Vec<Value>>, ValuesError> {
        match timeout::defaults(self.socket, l3proto(protocol), protocol.number).await {
            Ok(timeouts) => Ok(Some(timeouts.values)),
            Err(error) if error.errno() == Some(libc::EOPNOTSUPP) => Ok(None),
            Err(error) if is_without_cttimeout(&error) => self.read_sysctls(protocol),
            Err(error) => Err(error.into()),
        }
    }

    /// Changes those that are named, all of them or none.
    pub async fn write(&mut self, protocol: &'static Protocol, values: &[Value]) -> Result<(), ValuesError> {
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

    fn read_sysctls(&self, protocol: &Protocol) -> Result<Option<Vec<Value>>, ValuesError> {
        // Its settings are UDP's, which there are in any case.
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

    fn write_sysctls(&self, protocol: &'static Protocol, values: &[Value]) -> Result<(), ValuesError> {
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

    /// Writes what there was before. What can't be written now could be a moment ago, so that nothing is said of it.
    fn put_back(&self, named: &[(String, u32)], values: &[Value], before: &[Value]) {
        for ((name, _), (attribute, _)) in named.iter().zip(values) {
            if let Some((_, seconds)) = before.iter().find(|(kind, _)| kind == attribute) {
                let _ = self.at.write(name, &seconds.to_string());
            }
        }
    }
}

/// Whether a refusal means that the kernel has no cttimeout: nfnetlink_rcv_msg() says EINVAL when a subsystem stays
/// unknown after it tried to load it, and a well-formed request about defaults has no other way to that error.
pub fn is_without_cttimeout(error: &netlink::Error) -> bool {
    error.errno() == Some(libc::EINVAL)
}

/// Whether the kernel has a handler for UDP-Lite. Where it does not show its symbols, it is taken to have one, as it had
/// from Linux 2.6.25 to 6.18 at least.
fn has_udplite() -> bool {
    let fates = symbols::fates(&["nf_conntrack_udplite_packet"]).unwrap_or_default();
    fates.first() != Some(&Fate::Absent)
}

/// The family that a protocol's defaults are asked for with. They are the same for both.
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
