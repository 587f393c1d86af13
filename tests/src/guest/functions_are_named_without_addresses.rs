//! `kernel.kptr_restrict=2` hides every address of /proc/kallsyms. The kernel still names the functions of a stack, so
//! `rsct why delete` distinguishes a flush, which its callers show, from a single delete.

use std::fs;

use anyhow::{Context as _, Result, ensure};

use crate::lab::{Lab, Why, traffic};

const KPTR_RESTRICT: &str = "/proc/sys/kernel/kptr_restrict";

pub fn run() -> Result<()> {
    let lab = Lab::new()?.without_ipv6()?;
    let before = fs::read(KPTR_RESTRICT).context("read kernel.kptr_restrict")?;
    fs::write(KPTR_RESTRICT, "2").context("set kernel.kptr_restrict")?;
    let named = flush_is_named(&lab);
    fs::write(KPTR_RESTRICT, before).context("restore kernel.kptr_restrict")?;
    named
}

fn flush_is_named(lab: &Lab) -> Result<()> {
    let symbols = fs::read_to_string("/proc/kallsyms").context("read /proc/kallsyms")?;
    ensure!(
        symbols.lines().all(|line| line.starts_with("0000000000000000 ")),
        "/proc/kallsyms shows addresses"
    );
    flush_is_recognised(lab)
}

/// Checks that `rsct why delete` recognises a flush, and counts as the kernel does.
pub(super) fn flush_is_recognised(lab: &Lab) -> Result<()> {
    let why = Why::start("delete", &lab.server.name, &[])?;
    let (client, server) = traffic::udp(lab, 9001)?;
    traffic::request(&client, &server)?;
    lab.server.sh("conntrack -F")?;
    let answer = why.answer()?;
    answer.met("flush", 1)?;
    answer.agrees()
}
