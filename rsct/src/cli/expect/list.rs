//! `rsct expect list`: the expectations that there are.

use std::process::ExitCode;

use clap::Args;

use super::{Output, exit_code, filter::ExpectFilterArgs, finish, zone::key_of};
use crate::{
    cli::namespaces::{Namespaces, NetnsArg},
    netlink::expect,
    plural,
    render::expect::About,
    schema::Command,
    waiting,
};

/// Show the expectations that there are, of both address families.
#[derive(Debug, Args)]
pub(super) struct ListArgs {
    #[command(flatten)]
    filter: ExpectFilterArgs,
    /// How expectations look.
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
    #[command(flatten)]
    netns: NetnsArg,
}

/// Runs `rsct expect list`.
pub(super) fn run(args: &ListArgs) -> anyhow::Result<ExitCode> {
    let filter = args.filter.filter()?;
    let namespaces = Namespaces::open(&args.netns)?;
    let format = args.output.format();
    let mut out = Vec::new();
    let mut shown = 0;
    format.begin(&mut out, Command::ExpectList);
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
            if filter.zone.is_some() && key_of(socket, &expectation, filter.zone).await?.is_none() {
                continue;
            }
            format.expectation(&mut out, &expectation, &about);
            shown += 1;
        }
        Ok(())
    });
    let all_went_well = waiting::block_on(visit)?;
    format.end(&mut out);
    namespaces.tell_of_hidden();
    let summary = format!(
        "rsct: {} been shown.",
        plural::count(shown, "expectation has", "expectations have")
    );
    finish(&out, &summary, exit_code(all_went_well))
}
