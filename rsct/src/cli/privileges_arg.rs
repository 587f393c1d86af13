//! `--user` and `--keep-privileges` of commands that run until they are stopped.

use clap::Args;

use super::{UsageError, namespaces::NetnsArg};
use crate::{
    confine::{self, Confinement, Needs, Task},
    kernel::threads::Ids,
};

/// The options.
#[derive(Clone, Debug, Default, Args)]
pub(super) struct PrivilegesArg {
    /// Change to this user once everything is attached
    ///
    /// A name of /etc/passwd, or a number. The process keeps the capability that dumps need.
    #[arg(long, value_name = "USER", conflicts_with = "keep_privileges")]
    user: Option<String>,
    /// Keep all privileges
    ///
    /// By default the process drops every capability except CAP_NET_ADMIN once everything is attached, gains none later, and
    /// cannot open other files than those that it needs.
    #[arg(long)]
    keep_privileges: bool,
}

impl PrivilegesArg {
    /// The numbers of the user.
    pub(super) fn ids(&self) -> Result<Option<Ids>, UsageError> {
        let ids = self.user.as_deref().map(confine::look_up).transpose();
        ids.map_err(|error| UsageError(error.to_string()))
    }

    /// The end of the command's start.
    pub(super) fn confinement(&self, task: Task, netns: &NetnsArg) -> Result<Confinement, UsageError> {
        self.confinement_with(Needs::of(task, netns.name().is_some()))
    }

    /// The same of a command with other needs.
    pub(super) fn confinement_with(&self, needs: Needs) -> Result<Confinement, UsageError> {
        let needs = (!self.keep_privileges).then_some(needs);
        Ok(Confinement::of(needs, self.ids()?))
    }
}
