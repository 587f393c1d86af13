//! This kernel's FTP helper makes expectations; rsct shows, creates, deletes and watches them.

use anyhow::{Result, anyhow};

use crate::{
    lab::ftp,
    native::{expect_as_conntrack::agree, expect_watch::sees_them_come_and_go},
};

pub fn run() -> Result<()> {
    // Every kernel of the matrix has the helper: its absence is no reason to skip.
    let namespace = || ftp::namespace().map_err(|error| anyhow!("{error:#}"));
    agree(&namespace()?)?;
    sees_them_come_and_go(&namespace()?)
}
