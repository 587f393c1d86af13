//! A recorder that is killed, or whose disk is full, leaves a file that can be read up to its last second. A recording of
//! limited size is rotated, and each file stands alone.

use std::{fs, net::UdpSocket, path::Path, process::Command};

use anyhow::{Context as _, Result, ensure};

use crate::{
    lab::{
        Lab, SERVER,
        recorder::{Recorder, replayed},
        traffic,
        undisturbed::undisturbed,
        wait,
    },
    native::namespace::{output, rsct, succeeds},
};

pub fn run() -> Result<()> {
    let lab = Lab::new()?.without_ipv6()?;
    killed(&lab)?;
    full_disk(&lab)?;
    rotated(&lab)
}

/// The number of packets in a recording, and the messages of its replay.
fn packets(file: &Path) -> Result<(usize, String)> {
    let (lines, messages) = replayed(&[file])?;
    Ok((lines.iter().filter(|line| line.is_packet()).count(), messages))
}

fn killed(lab: &Lab) -> Result<()> {
    let file = Path::new("/tmp/killed.rsct");
    let recorder = Recorder::start(&lab.server.name, file, &["--no-causes"])?;
    let (client, server) = traffic::udp(lab, 9000)?;
    traffic::request(&client, &server)?;
    let size = || {
        fs::metadata(file)
            .map(|meta| meta.len())
            .context("the size of the recording")
    };
    let before = size()?;
    // A second later at most, the packet is on disk.
    wait::until("the recording grows", || Ok(size()? > before))?;
    recorder.signal(libc::SIGKILL)?;
    recorder.ended()?;
    let (count, messages) = packets(file)?;
    ensure!(count >= 1, "no packet was recorded\n{messages}");
    ensure!(messages.contains("breaks off"), "{messages}");
    let checked = output(Command::new(rsct()).args(["recording", "verify"]).arg(file))?;
    ensure!(
        checked.status.success(),
        "a torn recording is no damaged one: {checked:?}"
    );
    let info = succeeds(Command::new(rsct()).args(["recording", "info"]).arg(file))?;
    ensure!(info.contains("packet"), "{info}");
    fs::remove_file(file)?;
    Ok(())
}

fn full_disk(lab: &Lab) -> Result<()> {
    let directory = "/tmp/small";
    // Not by `ip netns exec`, whose mounts are its own.
    let sh = |script: String| succeeds(Command::new("sh").args(["-ec", &script]));
    sh(format!(
        "mkdir -p {directory} && mount -t tmpfs -o size=1m small {directory}"
    ))?;
    let file = Path::new(directory).join("full.rsct");
    let recorder = Recorder::start(&lab.server.name, &file, &["--no-causes"])?;
    // Less than a page is left.
    sh(format!(
        "dd if=/dev/zero of={directory}/rest bs=4k 2>/dev/null || true"
    ))?;
    let (client, server) = traffic::udp(lab, 9001)?;
    // Each frame is a second, and the kernel's page has room for some.
    let mut sent = 0;
    let ended = wait::until("the disk is full", || {
        for _ in 0..200 {
            traffic::request(&client, &server)?;
            sent += 1;
        }
        Ok(fs::read_to_string(format!("/proc/{}/stat", recorder.id()))
            .map_or(true, |stat| stat.contains(") Z ")))
    });
    ended.with_context(|| format!("{sent} packets were sent"))?;
    let (status, messages) = recorder.ended()?;
    ensure!(
        status.code() == Some(1)
            && messages.contains("No space left on device")
            && messages.contains("full.rsct"),
        "{status}\n{messages}"
    );
    let (count, messages) = packets(&file)?;
    ensure!(!messages.contains("damaged"), "{count} packets\n{messages}");
    sh(format!("umount {directory}"))?;
    Ok(())
}

fn rotated(lab: &Lab) -> Result<()> {
    let file = Path::new("/tmp/rotated.rsct");
    let older = Path::new("/tmp/rotated.rsct.1");
    let recorder = Recorder::start(
        &lab.server.name,
        file,
        &["--no-causes", "--max-size", "256K", "--keep", "2"],
    )?;
    let (client, server) = traffic::udp(lab, 9002)?;
    wait::until("the file is rotated", || {
        // Many flows: packets of one flow take few bytes.
        lab.on_client(|| {
            let socket = UdpSocket::bind("0.0.0.0:0")?;
            for port in 20_000..20_500 {
                // The answer of a closed port fails the next send.
                let _ = undisturbed(|| Ok(socket.send_to(b"x", (SERVER, port))?));
            }
            Ok(())
        })?;
        Ok(older.exists())
    })?;
    traffic::request(&client, &server)?;
    traffic::reply(&client, &server)?;
    let messages = recorder.stop()?;
    ensure!(messages.contains("0 records lost"), "{messages}");
    // The flow began in the first file, and the second one's dump has it.
    let alone = packets(file)?;
    let (both, _) = replayed(&[file, older])?;
    let both = both.iter().filter(|line| line.is_packet()).count();
    let first = packets(older)?;
    ensure!(
        alone.0 > 0 && first.0 > 0 && both == alone.0 + first.0,
        "{} packets in the newer file, {} in the older, {both} in both",
        alone.0,
        first.0
    );
    for file in [file, older] {
        fs::remove_file(file)?;
    }
    Ok(())
}
