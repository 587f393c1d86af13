//! This kernel's FTP helper makes expectations, which are shown, made, deleted and watched.

use anyhow::{Result, anyhow};

use crate::{
    lab::ftp,
    native::{expect_as_conntrack::agree, expect_watch::sees_them_come_and_go},
};

pub fn run() -> Result<()> {
    // Every kernel of the matrix has the helper: that it can't be had is nothing to skip for.
    let namespace = || ftp::namespace().map_err(|error| anyhow!("{error:#}"));
    agree(&namespace()?)?;
    sees_them_come_and_go(&namespace()?)
}
