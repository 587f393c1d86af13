//! `rsct expect delete`: those that are meant.

use std::process::ExitCode;

use clap::Args;

use super::{DeletingArgs, exit_code, filter::ExpectFilterArgs, finish, zone::key_of};
use crate::{
    cli::{
        UsageError, ended,
        namespaces::{Namespaces, NetnsArg},
    },
    kernel::interrupt,
    netlink::expect,
    render::expect::About,
    schema::Command,
    waiting,
};

/// Delete the expectations that meet all conditions, and show what went.
///
/// The exit code is 1 where there is none.
#[derive(Debug, Args)]
pub(super) struct DeleteArgs {
    #[command(flatten)]
    filter: ExpectFilterArgs,
    #[command(flatten)]
    deleting: DeletingArgs,
    #[command(flatten)]
    netns: NetnsArg,
}

/// Runs `rsct expect delete`.
pub(super) fn run(args: &DeleteArgs) -> anyhow::Result<ExitCode> {
    let filter = args.filter.filter()?;
    if filter.is_empty() {
        let sentence =
            "which expectations are to be deleted? Give a filter, or use `rsct expect flush` for all of them";
        return Err(UsageError(sentence.to_owned()).into());
    }
    let namespaces = Namespaces::open(&args.netns)?;
    let format = args.deleting.output.format();
    let mut out = Vec::new();
    let mut deleted = 0;
    if !args.deleting.quiet {
        format.begin(&mut out, Command::ExpectDelete);
    }
    let _watch = (!args.deleting.dry_run).then(interrupt::watch);
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
            // What is gone by now, or was met by its connection, is not for us to delete.
            let Some(key) = key_of(socket, &expectation, filter.zone).await? else {
                continue;
            };
            if args.deleting.dry_run || expect::delete(socket, &key).await? {
                deleted += 1;
                if !args.deleting.quiet {
                    format.expectation(&mut out, &expectation, &about);
                }
            }
        }
        Ok(())
    });
    let visited = waiting::block_on(visit);
    if !args.deleting.quiet {
        format.end(&mut out);
    }
    // What went is said, also where the next one could not be deleted.
    let all_went_well = match visited {
        Ok(all_went_well) => all_went_well,
        Err(error) => {
            let error = Err(error);
            if deleted > 0 || ended::is_why(&error) {
                finish(&out, &args.deleting.summary(deleted), ExitCode::FAILURE)?;
            }
            return error;
        }
    };
    namespaces.tell_of_hidden();
    finish(
        &out,
        &args.deleting.summary(deleted),
        exit_code(all_went_well && deleted > 0),
    )
}
