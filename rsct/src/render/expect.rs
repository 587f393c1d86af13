//! Every format of an expectation behind one call, for all commands that show expectations.

use super::{expect_json, expect_line, expect_xml, namespace};
use crate::{
    kernel::netns::Netns,
    netlink::expect::{EventKind, Expectation},
    schema::{self, Command},
};

/// A form for expectations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// conntrack's line.
    #[default]
    Text,
    /// A JSON object a line.
    Json,
    /// conntrack's XML.
    Xml,
}

/// What is known about an expectation beside itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct About<'a> {
    /// The namespace it is of, where that is to be said.
    pub netns: Option<&'a Netns>,
    /// The width of the column that says so, where lines have one.
    pub column: Option<usize>,
    /// What happened to it.
    pub happened: Option<Happened>,
}

/// What happened to an expectation, who asked for it, and when rsct read of it: the kernel doesn't say when it was.
#[derive(Clone, Copy, Debug)]
pub struct Happened {
    /// What.
    pub kind: EventKind,
    /// Nanoseconds since the epoch.
    pub received_ns: u64,
    /// The netlink port that asked for it; 0 where a packet or time did it.
    pub portid: u32,
}

impl Format {
    /// Appends what stands before the first expectation.
    pub fn begin(self, out: &mut Vec<u8>, command: Command) {
        match self {
            Self::Text => {}
            Self::Json => schema::begin(out, command),
            Self::Xml => out.extend_from_slice(expect_xml::BEGIN),
        }
    }

    /// Appends an expectation.
    pub fn expectation(self, out: &mut Vec<u8>, expectation: &Expectation<'_>, about: &About<'_>) {
        let event = about.happened.map(|happened| happened.kind);
        match self {
            Self::Text => {
                if let Some(netns) = about.netns {
                    namespace::column(out, netns, about.column);
                }
                expect_line::line(out, expectation, event, false);
            }
            Self::Json => expect_json::object(out, expectation, about.happened, about.netns),
            Self::Xml => expect_xml::flow(out, expectation, event, about.netns),
        }
    }

    /// Appends what stands behind the last one.
    pub fn end(self, out: &mut Vec<u8>) {
        if self == Self::Xml {
            out.extend_from_slice(expect_xml::END);
        }
    }
}
