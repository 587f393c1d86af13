//! `rsct install-links`: links with the names of the tools that rsct replaces.

use std::{
    env, fs,
    io::{self, Write as _},
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context as _, bail};
use clap::Args;

use super::is_broken_pipe;
use crate::{conntrack, nfct};

/// Names under which rsct behaves like the other tool.
const NAMES: [&str; 2] = [conntrack::NAME, nfct::NAME];

/// Install the commands conntrack and nfct as links to rsct
///
/// Under these names rsct accepts the command lines of the old tools. An existing file with one of the names that is not a
/// link to rsct stays, and is reported.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  rsct install-links /usr/local/sbin
  rsct install-links ~/bin")]
pub struct InstallLinksArgs {
    /// Directory of the links; in PATH it has to come before the old tools
    #[arg(value_name = "DIR")]
    dir: PathBuf,
}

/// Outcome for a link.
#[derive(Debug, PartialEq, Eq)]
enum Made {
    /// The link is new.
    New,
    /// The link pointed to another rsct.
    Replaced,
    /// The link existed.
    Already,
}

/// Runs `rsct install-links`.
pub fn run(args: &InstallLinksArgs) -> anyhow::Result<ExitCode> {
    let rsct = env::current_exe().context("creating links: finding the path of this rsct")?;
    let mut lines = String::new();
    for name in NAMES {
        let link = args.dir.join(name);
        let made = make(&link, &rsct)?;
        let (link, rsct) = (link.display(), rsct.display());
        lines += &match made {
            Made::New => format!("{link}: created, points to {rsct}\n"),
            Made::Replaced => format!("{link}: replaced, points to {rsct} instead of another rsct\n"),
            Made::Already => format!("{link}: unchanged, points to {rsct} already\n"),
        };
    }
    match io::stdout().write_all(lines.as_bytes()) {
        Err(error) if !is_broken_pipe(&error) => return Err(error).context("writing to standard output"),
        _ => {}
    }
    Ok(ExitCode::SUCCESS)
}

fn make(link: &Path, rsct: &Path) -> anyhow::Result<Made> {
    let doing = || format!("creating the link {}", link.display());
    let made = match fs::read_link(link) {
        Ok(target) if target == rsct => return Ok(Made::Already),
        Ok(target) if target.file_name() == rsct.file_name() => Made::Replaced,
        Ok(target) => bail!(
            "{}: it exists and points to {}, which is not rsct; remove it or choose another directory",
            doing(),
            target.display()
        ),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Made::New,
        // EINVAL: the file is not a link.
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => bail!(
            "{}: a file with this name exists, and is not a link to rsct; remove it or choose another directory",
            doing()
        ),
        Err(error) => return Err(error).with_context(doing),
    };
    if made == Made::Replaced {
        fs::remove_file(link).with_context(doing)?;
    }
    symlink(rsct, link).with_context(doing)?;
    Ok(made)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_links_to_rsct_are_replaced() {
        let dir = env::temp_dir().join(format!("rsct-links-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        let link = dir.join("conntrack");
        let _ = fs::remove_file(&link);
        let rsct = Path::new("/opt/rsct");
        assert_eq!(make(&link, rsct).unwrap(), Made::New);
        assert_eq!(make(&link, rsct).unwrap(), Made::Already);
        assert_eq!(make(&link, Path::new("/usr/bin/rsct")).unwrap(), Made::Replaced);
        assert_eq!(fs::read_link(&link).unwrap(), Path::new("/usr/bin/rsct"));
        fs::remove_file(&link).unwrap();
        symlink("/usr/sbin/conntrack", &link).unwrap();
        let refused = make(&link, rsct).unwrap_err().to_string();
        assert!(
            refused.contains("/usr/sbin/conntrack, which is not rsct"),
            "{refused}"
        );
        fs::remove_file(&link).unwrap();
        fs::write(&link, "mine").unwrap();
        let refused = make(&link, rsct).unwrap_err().to_string();
        assert!(refused.contains("not a link to rsct"), "{refused}");
        assert_eq!(fs::read(&link).unwrap(), b"mine");
        fs::remove_dir_all(&dir).unwrap();
    }
}
