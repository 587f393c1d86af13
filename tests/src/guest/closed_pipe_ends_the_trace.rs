//! `rsct trace | head -1`: a closed pipe ends the trace, and is no error.

use std::{
    io::{BufRead as _, BufReader},
    net::UdpSocket,
    process::Stdio,
};

use anyhow::{Context as _, Result, ensure};

use crate::lab::{Lab, SERVER, undisturbed::undisturbed, wait};

pub fn run() -> Result<()> {
    let lab = Lab::new()?;
    let mut trace = lab
        .client
        .rsct(&["trace"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("start rsct")?;
    let mut first = String::new();
    let stdout = trace.stdout.take().context("rsct's output")?;
    BufReader::new(stdout).read_line(&mut first)?;
    ensure!(!first.is_empty(), "rsct wrote nothing");

    // The pipe is closed; rsct notices at its next line.
    wait::until("rsct has ended", || {
        lab.on_client(|| {
            let socket = UdpSocket::bind("0.0.0.0:0")?;
            undisturbed(|| Ok(socket.send_to(b"one more", (SERVER, 4001))?))
        })?;
        Ok(trace.try_wait()?.is_some())
    })?;
    let output = trace.wait_with_output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.code() == Some(0), "{}\n{said}", output.status);
    ensure!(said.contains("0 records lost"), "no summary:\n{said}");
    ensure!(
        said.lines().all(|line| line.starts_with("rsct: ")),
        "more than its summary:\n{said}"
    );
    Ok(())
}
