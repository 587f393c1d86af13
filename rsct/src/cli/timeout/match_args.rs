//! The options that say to which flows a rule attaches a policy.

use clap::{Args, ValueEnum};

use crate::rules::{Hook, TypedMatch};

/// Where a rule is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum HookArg {
    /// For flows whose first packet comes in.
    Prerouting,
    /// For flows that this machine begins.
    Output,
}

impl HookArg {
    /// The hook.
    pub(super) fn hook(self) -> Hook {
        match self {
            Self::Prerouting => Hook::Prerouting,
            Self::Output => Hook::Output,
        }
    }
}

/// Which flows, by their first packet. Conditions add up.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Match")]
pub(super) struct MatchArgs {
    /// Protocol, by name or number; the policy's own unless given.
    #[arg(short, long, visible_alias = "protonum", value_name = "PROTO")]
    proto: Option<String>,
    /// Source address.
    #[arg(short, long, visible_alias = "orig-src", value_name = "ADDR[/BITS]")]
    src: Option<String>,
    /// Destination address.
    #[arg(short, long, visible_alias = "orig-dst", value_name = "ADDR[/BITS]")]
    dst: Option<String>,
    /// Source port, or the first and the last of several.
    #[arg(long, visible_alias = "orig-port-src", value_name = "PORT[:PORT]")]
    sport: Option<String>,
    /// Destination port, or the first and the last of several.
    #[arg(long, visible_alias = "orig-port-dst", value_name = "PORT[:PORT]")]
    dport: Option<String>,
    /// Interface that the packet comes in by; with a + at the end, all that begin so. At prerouting alone.
    #[arg(short, long, visible_alias = "iface", value_name = "NAME")]
    in_iface: Option<String>,
    /// Interface that the packet leaves by; with a + at the end, all that begin so. At output alone.
    #[arg(long, value_name = "NAME")]
    out_iface: Option<String>,
}

impl MatchArgs {
    /// What was typed.
    pub(super) fn typed(&self) -> TypedMatch<'_> {
        TypedMatch {
            proto: self.proto.as_deref(),
            src: self.src.as_deref(),
            dst: self.dst.as_deref(),
            sport: self.sport.as_deref(),
            dport: self.dport.as_deref(),
            in_iface: self.in_iface.as_deref(),
            out_iface: self.out_iface.as_deref(),
        }
    }
}
