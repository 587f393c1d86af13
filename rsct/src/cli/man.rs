//! `rsct man`: manual pages, generated from the definitions of the command line.

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

/// Generate manual pages
///
/// Without a directory, prints the page of rsct. With one, writes a page for each command, which `man rsct-list` then
/// finds.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  rsct man | man -l -
  rsct man /usr/local/share/man/man1")]
pub struct ManArgs {
    /// Directory for the pages of all commands: rsct.1, rsct-list.1, …
    ///
    /// Existing pages are replaced.
    dir: Option<PathBuf>,
}

/// Runs `rsct man`.
pub fn run(args: &ManArgs) -> anyhow::Result<ExitCode> {
    let mut command = super::Cli::command();
    // Sets the full names of subcommands, and builds their options.
    command.build();
    let Some(dir) = &args.dir else {
        let page = page(&command).context("generating the manual page of rsct")?;
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
            "writing manual pages into {}: it is not a directory; create it first",
            dir.display()
        );
    }
    write(&command, dir)?;
    Ok(ExitCode::SUCCESS)
}

/// Writes the pages of a command and of all its subcommands.
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

/// Name of a command's page, such as `rsct-expect-list`.
fn name(command: &Command) -> &str {
    command.get_display_name().unwrap_or(command.get_name())
}

fn page(command: &Command) -> io::Result<Vec<u8>> {
    let end = command.get_after_long_help().map(ToString::to_string);
    // clap_mangen would fill its lines into one paragraph.
    let rest = command
        .clone()
        .mut_args(with_aliases)
        .after_long_help(None::<&str>);
    let mut page = Vec::new();
    Man::new(rest)
        .source(concat!("rsct ", env!("CARGO_PKG_VERSION")))
        .render(&mut page)?;
    let mut page = String::from_utf8_lossy(&page).into_owned();
    page.push_str(&sections(&end.unwrap_or_default()));
    Ok(escaped(&page))
}

/// The end of a command's help in roff: each heading (`Examples:`) is a section, whose lines are printed as they are.
fn sections(text: &str) -> String {
    let mut roff = String::new();
    let mut is_open = false;
    for line in text.lines() {
        match line.strip_suffix(':').filter(|line| !line.starts_with(' ')) {
            Some(heading) => {
                roff += if is_open { ".fi\n" } else { "" };
                roff += &format!(".SH {}\n.nf\n", heading.to_uppercase());
                is_open = true;
            }
            None if line.is_empty() => {}
            None => {
                let line = line.strip_prefix("  ").unwrap_or(line);
                let line = line.replace('\\', "\\e").replace('-', "\\-");
                // A line that begins with a dot or a quote would be a request.
                roff += &format!("\\&{line}\n");
            }
        }
    }
    roff += if is_open { ".fi\n" } else { "" };
    roff
}

/// The option with its aliases at the end of its description; clap_mangen omits them.
fn with_aliases(option: Arg) -> Arg {
    let names = option.get_visible_aliases().unwrap_or_default();
    if names.is_empty() {
        return option;
    }
    let also = format!(" [aliases: --{}]", names.join(", --"));
    let extended = |help: Option<&StyledStr>| help.map(|help| format!("{help}{also}"));
    let (help, long) = (extended(option.get_help()), extended(option.get_long_help()));
    let option = option.help(help.unwrap_or_default());
    match long {
        Some(long) => option.long_help(long),
        None => option,
    }
}

/// The page in ASCII, because readers of pages assume different encodings.
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
    fn examples_keep_their_lines() {
        let roff = sections("Counters:\n  found  lookups\n\nExamples:\n  rsct stats -i 1s \\\n    -c 2");
        assert_eq!(
            roff,
            ".SH COUNTERS\n.nf\n\\&found  lookups\n.fi\n.SH EXAMPLES\n.nf\n\\&rsct stats \\-i 1s \\e\n\\&  \\-c 2\n.fi\n"
        );
    }

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
