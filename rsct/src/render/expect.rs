//! Every format of an expectation, for all commands that print expectations.

pub(super) mod about;

use super::{expect_json, expect_line, expect_xml, namespace};
use crate::{
    netlink::expect::Expectation,
    schema::{self, Command},
};
pub use about::{About, Happened};

/// Output formats of expectations.
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

impl Format {
    /// Appends the text before the first expectation.
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

    /// Appends the text after the last one.
    pub fn end(self, out: &mut Vec<u8>) {
        if self == Self::Xml {
            out.extend_from_slice(expect_xml::END);
        }
    }
}
