//! `rsct man`: the manual's pages, from the same definitions as the command line itself.

use std::{
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context as _;
use clap::{Arg, Args, Command, CommandFactory as _, builder::StyledStr};
use clap_mangen::Man;

use super::is_broken_pipe;

/// Print rsct's manual page, or write the pages of all its commands into a directory.
///
/// `rsct man | man -l -` shows the page; `rsct man /usr/local/share/man/man1` lets `man rsct-list` find each of them.
#[derive(Debug, Args)]
pub struct ManArgs {
    /// The directory to write every page into: rsct.1, rsct-list.1, … A page that is there already is replaced.
    dir: Option<PathBuf>,
}

/// Runs `rsct man`.
pub fn run(args: &ManArgs) -> anyhow::Result<ExitCode> {
    let mut command = super::Cli::command();
    // Gives subcommands their whole names, and options that hold for all of them.
    command.build();
    let Some(dir) = &args.dir else {
        let page = page(&command).context("making the manual page of rsct")?;
        let mut stdout = io::stdout().lock();
        return match stdout.write_all(&page).and_then(|()| stdout.flush()) {
            Err(error) if !is_broken_pipe(&error) => {
                Err(error).context("writing the manual page to standard output")
            }
            _ => Ok(ExitCode::SUCCESS),
        };
    };
    if !dir.is_dir() {
        anyhow::bail!(
            "writing manual pages into {}: it is not a directory; make it first",
            dir.display()
        );
    }
    write(&command, dir)?;
    Ok(ExitCode::SUCCESS)
}

/// Writes the pages of a command and of all below it.
fn write(command: &Command, dir: &Path) -> anyhow::Result<()> {
    let path = dir.join(format!("{}.1", name(command)));
    page(command)
        .and_then(|page| fs::write(&path, page))
        .with_context(|| format!("writing the manual page {}", path.display()))?;
    command
        .get_subcommands()
        .filter(|command| !command.is_hide_set())
        .try_for_each(|command| write(command, dir))
}

/// What a command's page is called, such as `rsct-expect-list`.
fn name(command: &Command) -> &str {
    command.get_display_name().unwrap_or(command.get_name())
}

fn page(command: &Command) -> io::Result<Vec<u8>> {
    let mut page = Vec::new();
    Man::new(command.clone().mut_args(with_aliases))
        .source(concat!("rsct ", env!("CARGO_PKG_VERSION")))
        .render(&mut page)?;
    Ok(escaped(&String::from_utf8_lossy(&page)))
}

/// The option with its other names at the end of its description, which pages leave out.
fn with_aliases(option: Arg) -> Arg {
    let names = option.get_visible_aliases().unwrap_or_default();
    if names.is_empty() {
        return option;
    }
    let also = format!(" [aliases: --{}]", names.join(", --"));
    let said = |help: Option<&StyledStr>| help.map(|help| format!("{help}{also}"));
    let (help, long) = (said(option.get_help()), said(option.get_long_help()));
    let option = option.help(help.unwrap_or_default());
    match long {
        Some(long) => option.long_help(long),
        None => option,
    }
}

/// The same page in ASCII: what reads a page takes no encoding for granted.
fn escaped(page: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(page.len());
    for char in page.chars() {
        match u8::try_from(char) {
            Ok(byte) if byte.is_ascii() => bytes.push(byte),
            _ => bytes.extend(format!("\\[u{:04X}]", u32::from(char)).into_bytes()),
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_ascii() {
        assert_eq!(escaped("a … b → é"), b"a \\[u2026] b \\[u2192] \\[u00E9]");
    }

    #[test]
    fn every_page_describes_its_command_and_all_options() {
        fn check(command: &Command) {
            let page = String::from_utf8(page(command).unwrap()).unwrap();
            let name = name(command).replace('-', "\\-");
            let (_, rest) = page.split_once(&format!("\n{name} \\- ")).unwrap();
            assert!(!rest.trim_start().is_empty(), "{name}");
            let options = command.get_arguments().filter(|arg| !arg.is_hide_set());
            let names = options.flat_map(|arg| arg.get_long_and_visible_aliases().unwrap_or_default());
            for long in names {
                assert!(
                    page.contains(&format!("\\-\\-{}", long.replace('-', "\\-"))),
                    "{name} --{long}"
                );
            }
            command.get_subcommands().for_each(check);
        }
        let mut command = crate::cli::Cli::command();
        command.build();
        check(&command);
    }
}
