//! Options of `attach` and `detach`: the rules that attach a policy to flows.

use clap::{Args, ValueEnum};

use crate::{
    cli::{
        namespaces::NetnsArg,
        shared_args::{DryRunArg, EndOfHeading},
    },
    rules::{Hook, TypedMatch},
};

/// Options of `attach` and `detach`.
#[derive(Debug, Args)]
pub(super) struct RuleArgs {
    /// Timeout policy
    pub(super) policy: String,
    /// Hook of the rules (default: both)
    #[arg(long, value_enum)]
    pub(super) hook: Option<HookArg>,
    #[command(flatten)]
    pub(super) dry_run: DryRunArg,
    #[command(flatten)]
    pub(super) netns: NetnsArg,
    #[command(flatten)]
    pub(super) matching: MatchArgs,
}

/// The hook of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum HookArg {
    /// Flows whose first packet is received
    Prerouting,
    /// Flows that this machine starts
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

/// Conditions on the first packet of a flow; it has to match all of them.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Match")]
pub(super) struct MatchArgs {
    /// Protocol name or number (default: that of the policy)
    #[arg(short, long, visible_alias = "protonum", value_name = "PROTO")]
    proto: Option<String>,
    /// Source address
    #[arg(short, long, visible_alias = "orig-src", value_name = "ADDR[/BITS]")]
    src: Option<String>,
    /// Destination address
    #[arg(short, long, visible_alias = "orig-dst", value_name = "ADDR[/BITS]")]
    dst: Option<String>,
    /// Source port or range of ports
    #[arg(long, visible_alias = "orig-port-src", value_name = "PORT[:PORT]")]
    sport: Option<String>,
    /// Destination port or range of ports
    #[arg(long, visible_alias = "orig-port-dst", value_name = "PORT[:PORT]")]
    dport: Option<String>,
    /// Input interface, for prerouting; a + at the end matches any suffix
    #[arg(short, long, visible_alias = "iface", value_name = "NAME")]
    in_iface: Option<String>,
    /// Output interface, for output; a + at the end matches any suffix
    #[arg(long, value_name = "NAME")]
    out_iface: Option<String>,
    #[command(flatten)]
    _end: EndOfHeading,
}

impl MatchArgs {
    /// The options as they were typed.
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
