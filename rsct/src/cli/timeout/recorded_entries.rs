//! The entries that exist at the begin of a recording or of its window, for `rsct timeout why --input`.

use std::path::Path;

use anyhow::Context as _;

use crate::{
    cli::{each_host, input_args::InputArgs, list_at::named, trace_merged::namespaces},
    filter::Filter,
    observe::Selection,
    render::{
        entry::{About, Format, View},
        merged::Host,
        printed::Form,
        timeout_source,
    },
    source::{Recorded, recorded::table},
};

/// Appends the entries with their remaining time. The source of an entry's timeout follows with its next packet.
pub(super) fn append(
    out: &mut Vec<u8>,
    input: &InputArgs,
    netns: Option<&str>,
    filter: &Filter,
    form: Form,
) -> anyhow::Result<()> {
    if input.files().iter().any(|file| file == Path::new("-")) {
        message!(
            "the entries that existed before are omitted: they are read from a file, and not from standard input"
        );
        return Ok(());
    }
    let all = input.open_by_boot(true)?;
    let selected = namespaces(netns, &all)?;
    let hosts = each_host::named(form, all.iter().map(|recorded| &recorded.start));
    let is_one = all.len() == 1;
    for ((recorded, host), netns) in all.into_iter().zip(&hosts).zip(selected) {
        let entries = |out: &mut Vec<u8>| append_boot(out, recorded, host, netns, filter);
        if is_one {
            entries(out)?;
            continue;
        }
        let mut result = Ok(());
        host.name_lines(out, |lines| result = entries(lines));
        result?;
    }
    Ok(())
}

fn append_boot(
    out: &mut Vec<u8>,
    recorded: Recorded,
    host: &Host,
    netns: Option<u32>,
    filter: &Filter,
) -> anyhow::Result<()> {
    let Recorded {
        mut files,
        start,
        window,
    } = recorded;
    let selection = Selection::recorded(&Filter::default(), netns, 0);
    let model = match window.from_ns {
        0 => table::first(&mut files, selection)?,
        from_ns => table::at(&mut files, selection, from_ns)?,
    };
    let model = model.context("no recording is given")?;
    let mut names = start.names;
    names.extend(&model.names);
    for flow in table::entries(&model) {
        let entry = table::entry(flow, model.now_ns());
        if !filter.meets(&entry) {
            continue;
        }
        let netns = named(&names, flow.netns);
        let netns = start.setup.only_netns.is_none().then_some(&netns);
        match host.form {
            Form::Json => {
                let view = View {
                    format: Format::Json,
                    ..View::default()
                };
                let about = About {
                    netns,
                    ..About::default()
                };
                view.entry(out, &entry, &about);
            }
            Form::Messages => timeout_source::of_dumped_entry(out, &entry, netns),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_before_the_window_are_listed() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests-data/udp.rsct");
        let listed = |from: Option<&str>| {
            let from = from.map(|from| crate::cli::input_args::Moment::parse(from).unwrap());
            let input = InputArgs::of(vec![file.clone()], from, None);
            let mut out = Vec::new();
            append(&mut out, &input, None, &Filter::default(), Form::Messages).unwrap();
            String::from_utf8(out).unwrap()
        };
        assert_eq!(
            listed(Some("+1s")),
            "udp 192.168.34.12:40000 > 192.168.34.11:8888  29s left, source unknown before its next packet\n"
        );
    }
}
