//! `rsct expect list`: the kernel's expectations.

use std::process::ExitCode;

use clap::Args;

use super::{ExpectationFormat, exit_code, filter::ExpectFilterArgs, finish, zone::key_of};
use crate::{
    cli::{
        namespaces::{Namespaces, NetnsArg},
        shared_args::FormatArg,
    },
    netlink::expect,
    plural,
    render::expect::About,
    schema::Command,
    waiting,
};

/// List expectations
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  rsct expect list
  rsct expect list --helper ftp -o json
  rsct expect list --netns all -s 10.0.0.5")]
pub(super) struct ListArgs {
    #[command(flatten)]
    filter: ExpectFilterArgs,
    #[command(flatten)]
    output: FormatArg<ExpectationFormat>,
    #[command(flatten)]
    netns: NetnsArg,
}

/// Runs `rsct expect list`.
pub(super) fn run(args: &ListArgs) -> anyhow::Result<ExitCode> {
    let filter = args.filter.filter()?;
    let namespaces = Namespaces::open(&args.netns)?;
    let format = args.output.renderer();
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
    namespaces.report_hidden();
    let summary = format!(
        "rsct: {} been shown.",
        plural::count(shown, "expectation has", "expectations have")
    );
    finish(&out, &summary, exit_code(all_went_well))
}
