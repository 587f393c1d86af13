//! `rsct expect delete`: deletes the expectations that match a filter.

use std::process::ExitCode;

use clap::Args;

use super::{DeletionArgs, exit_code, filter::ExpectFilterArgs, finish, zone::key_of};
use crate::{
    cli::{UsageError, ended, namespaces::Namespaces},
    kernel::interrupt,
    netlink::expect,
    render::expect::About,
    schema::Command,
    waiting,
};

/// Delete the expectations that match a filter
///
/// Prints the deleted expectations. The exit code is 1 if none matches.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  rsct expect delete --helper ftp
  rsct expect delete -s 10.0.0.5 --tuple-port-dst 7787 --dry-run")]
pub(super) struct DeleteArgs {
    #[command(flatten)]
    filter: ExpectFilterArgs,
    #[command(flatten)]
    deletion: DeletionArgs,
}

/// Runs `rsct expect delete`.
pub(super) fn run(args: &DeleteArgs) -> anyhow::Result<ExitCode> {
    let filter = args.filter.filter()?;
    if filter.is_empty() {
        let sentence =
            "deleting expectations: no filter is given; `rsct expect flush` deletes all expectations";
        return Err(UsageError(sentence.to_owned()).into());
    }
    let namespaces = Namespaces::open(&args.deletion.netns)?;
    let format = args.deletion.output.renderer();
    let mut out = Vec::new();
    let mut deleted = 0;
    if !args.deletion.quiet() {
        format.begin(&mut out, Command::ExpectDelete);
    }
    let _watch = (!args.deletion.dry_run()).then(interrupt::watch);
    let visit = namespaces.visit(async |netns, socket| {
        let about = About {
            netns: namespaces.are_named().then_some(netns),
            column: namespaces.column(),
            happened: None,
        };
        let dump = expect::read(socket, filter.of()).await?;
        for expectation in dump
            .expectations()
            .filter(|expectation| filter.meets(expectation))
        {
            ended::check("deleting expectations")?;
            // It has expired, been deleted, or matched its connection since the dump.
            let Some(key) = key_of(socket, &expectation, filter.zone).await? else {
                continue;
            };
            if args.deletion.dry_run() || expect::delete(socket, &key).await? {
                deleted += 1;
                if !args.deletion.quiet() {
                    format.expectation(&mut out, &expectation, &about);
                }
            }
        }
        Ok(())
    });
    let visited = waiting::block_on(visit);
    if !args.deletion.quiet() {
        format.end(&mut out);
    }
    // Deleted expectations are printed, also if a later one could not be deleted.
    let all_went_well = match visited {
        Ok(all_went_well) => all_went_well,
        Err(error) => {
            let error = Err(error);
            if deleted > 0 || ended::is_why(&error) {
                finish(&out, &args.deletion.summary(deleted), ExitCode::FAILURE)?;
            }
            return error;
        }
    };
    namespaces.report_hidden();
    finish(
        &out,
        &args.deletion.summary(deleted),
        exit_code(all_went_well && deleted > 0),
    )
}
