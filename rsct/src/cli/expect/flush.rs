//! `rsct expect flush`: deletes all expectations.

use std::process::ExitCode;

use clap::Args;

use super::{DeletionArgs, exit_code, finish};
use crate::{
    cli::namespaces::Namespaces,
    netlink::expect::{self, Of},
    render::expect::About,
    schema::Command,
    waiting,
};

/// Delete all expectations, or all of one helper
///
/// Sends one request. The kernel does not return what it deletes: rsct prints the expectations that existed just before.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  rsct expect flush
  rsct expect flush --helper ftp --quiet")]
pub(super) struct FlushArgs {
    /// Only expectations whose master has this helper
    #[arg(long, value_name = "NAME")]
    helper: Option<String>,
    #[command(flatten)]
    deletion: DeletionArgs,
}

/// Runs `rsct expect flush`.
pub(super) fn run(args: &FlushArgs) -> anyhow::Result<ExitCode> {
    let namespaces = Namespaces::open(&args.deletion.netns)?;
    let format = args.deletion.output.renderer();
    let mut out = Vec::new();
    let mut deleted = 0;
    if !args.deletion.quiet() {
        format.begin(&mut out, Command::ExpectFlush);
    }
    let visit = namespaces.visit(async |netns, socket| {
        let about = About {
            netns: namespaces.are_named().then_some(netns),
            column: namespaces.column(),
            happened: None,
        };
        // The kernel does not return what it deletes.
        let dump = expect::read(socket, Of::All).await?;
        if !args.deletion.dry_run() {
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
            if !args.deletion.quiet() {
                format.expectation(&mut out, &expectation, &about);
            }
        }
        Ok(())
    });
    let all_went_well = waiting::block_on(visit)?;
    if !args.deletion.quiet() {
        format.end(&mut out);
    }
    namespaces.report_hidden();
    finish(&out, &args.deletion.summary(deleted), exit_code(all_went_well))
}
