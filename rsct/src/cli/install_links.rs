//! `rsct install-links`: links by the names of the tools that rsct stands in for.

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

/// The names that rsct answers to as another tool would.
const NAMES: [&str; 2] = [conntrack::NAME, nfct::NAME];

/// Make links in a directory by which rsct takes the old command lines, `conntrack` and `nfct`.
///
/// A file of such a name that is no link to rsct is left alone, and told of.
#[derive(Debug, Args)]
pub struct InstallLinksArgs {
    /// Where the links go. Have it before the old tools in PATH.
    #[arg(value_name = "DIR")]
    dir: PathBuf,
}

/// What became of a link.
#[derive(Debug, PartialEq, Eq)]
enum Made {
    /// It is new.
    New,
    /// It led to another rsct.
    Replaced,
    /// It was there.
    Already,
}

/// Runs `rsct install-links`.
pub fn run(args: &InstallLinksArgs) -> anyhow::Result<ExitCode> {
    let rsct = env::current_exe().context("making links: finding this rsct's own path")?;
    let mut lines = String::new();
    for name in NAMES {
        let link = args.dir.join(name);
        let made = make(&link, &rsct)?;
        let (link, rsct) = (link.display(), rsct.display());
        lines += &match made {
            Made::New => format!("{link} leads to {rsct} now\n"),
            Made::Replaced => format!("{link} leads to {rsct} now, and no longer to another rsct\n"),
            Made::Already => format!("{link} leads to {rsct} already\n"),
        };
    }
    match io::stdout().write_all(lines.as_bytes()) {
        Err(error) if !is_broken_pipe(&error) => return Err(error).context("writing to standard output"),
        _ => {}
    }
    Ok(ExitCode::SUCCESS)
}

fn make(link: &Path, rsct: &Path) -> anyhow::Result<Made> {
    let doing = || format!("making the link {}", link.display());
    let made = match fs::read_link(link) {
        Ok(target) if target == rsct => return Ok(Made::Already),
        Ok(target) if target.file_name() == rsct.file_name() => Made::Replaced,
        Ok(target) => bail!(
            "{}: it is there and leads to {}, which is not rsct; remove it or choose another directory",
            doing(),
            target.display()
        ),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Made::New,
        // What is there is no link.
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => bail!(
            "{}: a file of that name is there that is no link to rsct; remove it or choose another directory",
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
        assert!(refused.contains("no link to rsct"), "{refused}");
        assert_eq!(fs::read(&link).unwrap(), b"mine");
        fs::remove_dir_all(&dir).unwrap();
    }
}
