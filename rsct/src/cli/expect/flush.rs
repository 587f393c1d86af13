//! `rsct expect flush`: all of them.

use std::process::ExitCode;

use clap::Args;

use super::{DeletingArgs, exit_code, finish};
use crate::{
    cli::namespaces::{Namespaces, NetnsArg},
    netlink::expect::{self, Of},
    render::expect::About,
    schema::Command,
    waiting,
};

/// Delete every expectation, or every one of a helper, and show what went.
///
/// The kernel is asked once, and doesn't say what it deletes: shown are those that it had just before.
#[derive(Debug, Args)]
pub(super) struct FlushArgs {
    /// Only those whose master this helper works for.
    #[arg(long, value_name = "NAME")]
    helper: Option<String>,
    #[command(flatten)]
    deleting: DeletingArgs,
    #[command(flatten)]
    netns: NetnsArg,
}

/// Runs `rsct expect flush`.
pub(super) fn run(args: &FlushArgs) -> anyhow::Result<ExitCode> {
    let namespaces = Namespaces::open(&args.netns)?;
    let format = args.deleting.output.format();
    let mut out = Vec::new();
    let mut deleted = 0;
    if !args.deleting.quiet {
        format.begin(&mut out, Command::ExpectFlush);
    }
    let visit = namespaces.visit(async |netns, socket| {
        let about = About {
            netns: namespaces.are_named().then_some(netns),
            column: namespaces.column(),
            happened: None,
        };
        // The kernel doesn't say what it deletes: those go that are there just before.
        let dump = expect::read(socket, Of::All).await?;
        if !args.deleting.dry_run {
            match &args.helper {
                Some(helper) => expect::delete_by_helper(socket, helper).await?,
                None => expect::flush(socket).await?,
            }
        }
        let helper = args.helper.as_deref().map(str::as_bytes);
        for expectation in dump.expectations() {
            if helper.is_some() && expectation.helper != helper {
                continue;
            }
            deleted += 1;
            if !args.deleting.quiet {
                format.expectation(&mut out, &expectation, &about);
            }
        }
        Ok(())
    });
    let all_went_well = waiting::block_on(visit)?;
    if !args.deleting.quiet {
        format.end(&mut out);
    }
    namespaces.tell_of_hidden();
    finish(&out, &args.deleting.summary(deleted), exit_code(all_went_well))
}
