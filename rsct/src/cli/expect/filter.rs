//! Filter options for expectations.

use clap::Args;

use crate::{
    cli::{UsageError, shared_args::EndOfHeading},
    family::Family,
    filter::{Filter, Typed},
    netlink::expect::{Expectation, Of},
};

/// Conditions on an expectation; it has to match all of them.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Filters")]
pub(super) struct ExpectFilterArgs {
    /// Address family: ipv4 or ipv6
    #[arg(short, long, value_name = "FAMILY")]
    family: Option<String>,
    /// Protocol of the master: name (also from /etc/protocols) or number
    #[arg(short, long, visible_alias = "protonum", value_name = "PROTO")]
    proto: Option<String>,
    /// Source address of the master's original direction
    #[arg(short, long, visible_alias = "orig-src", value_name = "ADDR[/BITS]")]
    src: Option<String>,
    /// Destination address of the master's original direction
    #[arg(short, long, visible_alias = "orig-dst", value_name = "ADDR[/BITS]")]
    dst: Option<String>,
    /// Source port of the master's original direction
    #[arg(long, visible_alias = "orig-port-src", value_name = "PORT")]
    sport: Option<String>,
    /// Destination port of the master's original direction
    #[arg(long, visible_alias = "orig-port-dst", value_name = "PORT")]
    dport: Option<String>,
    /// Protocol of the expected connection
    #[arg(long, value_name = "PROTO")]
    tuple_proto: Option<String>,
    /// Source address of the expected connection
    #[arg(long, value_name = "ADDR[/BITS]")]
    tuple_src: Option<String>,
    /// Destination address of the expected connection
    #[arg(long, value_name = "ADDR[/BITS]")]
    tuple_dst: Option<String>,
    /// Source port of the expected connection; 0 for expectations of any port
    #[arg(long, value_name = "PORT")]
    tuple_port_src: Option<String>,
    /// Destination port of the expected connection
    #[arg(long, value_name = "PORT")]
    tuple_port_dst: Option<String>,
    /// Name of the master's helper
    #[arg(long, value_name = "NAME")]
    helper: Option<String>,
    /// Number of the helper's policy
    #[arg(long, value_name = "CLASS")]
    class: Option<u32>,
    /// Expectation id, as printed by `-o json`
    #[arg(short, long, value_name = "ID")]
    id: Option<u32>,
    /// Conntrack zone of the master
    ///
    /// The kernel does not send the zone: rsct looks each expectation up in this zone.
    #[arg(short = 'w', long, value_name = "ZONE")]
    zone: Option<String>,
    #[command(flatten)]
    _end: EndOfHeading,
}

/// A filter of expectations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ExpectFilter {
    master: Filter,
    tuple: Filter,
    helper: Option<String>,
    class: Option<u32>,
    id: Option<u32>,
    /// The master's zone, in which the caller has to look the expectation up.
    pub(super) zone: Option<u16>,
}

impl ExpectFilterArgs {
    /// The filter of all options together.
    pub(super) fn filter(&self) -> Result<ExpectFilter, UsageError> {
        let master = Typed {
            family: self.family.as_deref(),
            proto: self.proto.as_deref(),
            src: self.src.as_deref(),
            dst: self.dst.as_deref(),
            sport: self.sport.as_deref(),
            dport: self.dport.as_deref(),
            zone: self.zone.as_deref(),
            ..Typed::default()
        };
        let tuple = Typed {
            family: self.family.as_deref(),
            proto: self.tuple_proto.as_deref(),
            src: self.tuple_src.as_deref(),
            dst: self.tuple_dst.as_deref(),
            sport: self.tuple_port_src.as_deref(),
            dport: self.tuple_port_dst.as_deref(),
            ..Typed::default()
        };
        let mut master = master.filter().map_err(|error| UsageError(error.to_string()))?;
        let tuple = of_tuple(&tuple)?;
        if let (Some(family), Some(other)) = (master.family, tuple.family)
            && family != other
        {
            return Err(UsageError(format!(
                "the master is {}, the expected connection is {}: no expectation has both families",
                family.name(),
                other.name()
            )));
        }
        Ok(ExpectFilter {
            zone: master.zone.take(),
            master,
            tuple,
            helper: self.helper.clone(),
            class: self.class,
            id: self.id,
        })
    }
}

/// The filter of the options for the expected connection. Errors have the names of these options.
pub(super) fn of_tuple(typed: &Typed<'_>) -> Result<Filter, UsageError> {
    const NAMES: [(&str, &str); 5] = [
        ("--proto ", "--tuple-proto "),
        ("--src ", "--tuple-src "),
        ("--dst ", "--tuple-dst "),
        ("--sport ", "--tuple-port-src "),
        ("--dport ", "--tuple-port-dst "),
    ];
    typed.filter().map_err(|error| {
        let text = error.to_string();
        UsageError(NAMES.iter().fold(text, |text, (from, to)| text.replace(from, to)))
    })
}

impl ExpectFilter {
    /// Returns whether every expectation matches.
    pub(super) fn is_empty(&self) -> bool {
        let Self {
            master,
            tuple,
            helper,
            class,
            id,
            zone,
        } = self;
        let numbers = (class, id, zone) == (&None, &None, &None);
        master.is_empty() && tuple.is_empty() && helper.is_none() && numbers
    }

    /// The kernel's part of the filter: the family.
    pub(super) fn of(&self) -> Of {
        let family: Option<Family> = self.tuple.family.or(self.master.family);
        family.map_or(Of::All, Of::Family)
    }

    /// Returns whether an expectation matches, whatever its zone.
    pub(super) fn meets(&self, expectation: &Expectation<'_>) -> bool {
        let same = |filter: &Filter, tuple| filter.matches(tuple, tuple, 0, 0);
        same(&self.master, &expectation.master)
            && same(&self.tuple, &expectation.tuple)
            && self
                .helper
                .as_deref()
                .is_none_or(|name| expectation.helper == Some(name.as_bytes()))
            && self.class.is_none_or(|class| expectation.class == Some(class))
            && self.id.is_none_or(|id| expectation.id == Some(id))
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::netlink::expect::samples;

    #[derive(Parser)]
    struct Options {
        #[command(flatten)]
        args: ExpectFilterArgs,
    }

    fn filter(options: &str) -> Result<ExpectFilter, String> {
        let typed = std::iter::once("x").chain(options.split_whitespace());
        let options = Options::try_parse_from(typed).map_err(|error| error.to_string())?;
        options.args.filter().map_err(|error| error.to_string())
    }

    #[test]
    fn every_condition_is_applied() {
        let payload = samples::PERMANENT.payload();
        let expectation = Expectation::parse(&payload).unwrap();
        for yes in [
            "",
            "-f ipv4",
            "-p tcp",
            "-s 127.0.0.1",
            "-d 10.7.7.0/24",
            "--sport 42308",
            "--dport 21",
            "--tuple-proto udp",
            "--tuple-src 10.1.0.1",
            "--tuple-dst 10.1.0.0/16",
            "--tuple-port-src 0",
            "--tuple-port-dst 7787",
            "--helper ftp",
            "--class 0",
            "--id 671980060",
            "-w 7",
        ] {
            assert!(filter(yes).unwrap().meets(&expectation), "{yes}");
            assert_eq!(filter(yes).unwrap().is_empty(), yes.is_empty(), "{yes}");
        }
        for no in [
            "-f ipv6",
            "-p udp",
            "-s 127.0.0.2",
            "-d 10.7.8.0/24",
            "--sport 42309",
            "--dport 20",
            "--tuple-proto tcp",
            "--tuple-src 10.1.0.2",
            "--tuple-dst 10.2.0.0/16",
            "--tuple-port-src 1",
            "--tuple-port-dst 7788",
            "--helper tftp",
            "--class 1",
            "--id 1",
        ] {
            assert!(!filter(no).unwrap().meets(&expectation), "{no}");
        }
    }

    #[test]
    fn wrong_use_names_the_option() {
        for (options, sentence) in [
            ("--tuple-src 10.0.0", "--tuple-src \"10.0.0\": expected an IPv4"),
            (
                "--tuple-port-dst http",
                "--tuple-port-dst \"http\": expected a port",
            ),
            ("--sport http", "--sport \"http\": expected a port"),
            (
                "--tuple-proto icmp --tuple-port-src 1",
                "--tuple-port-src needs a protocol with ports",
            ),
            ("-s 10.0.0.1 --tuple-dst ::1", "no expectation has both families"),
        ] {
            let error = filter(options).unwrap_err();
            assert!(error.contains(sentence), "{options}: {error}");
        }
    }
}
