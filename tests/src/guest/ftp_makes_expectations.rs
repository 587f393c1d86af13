//! This kernel's FTP helper makes expectations; rsct shows, creates, deletes and watches them.

use anyhow::{Result, anyhow};

use crate::{
    lab::ftp,
    native::{expect_as_conntrack::agree, expect_watch::prints_the_same_events},
};

pub fn run() -> Result<()> {
    // Every kernel of the matrix has the helper: its absence is no reason to skip.
    let namespace = || ftp::namespace().map_err(|error| anyhow!("{error:#}"));
    agree(&namespace()?)?;
    prints_the_same_events(&namespace()?)
}
