//! A recorder is stopped and continued, the clock is changed, another recorder runs beside it, its namespace or its file is
//! deleted: the recording has every packet, or rsct says why not.

use std::{fs, path::Path, process::Command, thread::sleep, time::Duration};

use anyhow::{Result, ensure};

use crate::{
    lab::{
        Lab, Line,
        recorder::{Recorder, replayed},
        traffic, wait,
    },
    native::namespace::{Namespace, output, rsct},
};

/// For so long the recorder reads no record.
const STOPPED: Duration = Duration::from_secs(10);
/// Longer than everything else here.
const CLOCK_MOVES: Duration = Duration::from_secs(3600);
/// Requests while it is stopped: fewer than the ring has room for.
const REQUESTS: u64 = 300;

pub fn run() -> Result<()> {
    let lab = Lab::new()?.without_ipv6()?;
    stopped_while_the_clock_changes(&lab)?;
    two_at_once(&lab)?;
    deleted_file(&lab)?;
    deleted_namespace()?;
    no_such_place()
}

/// The packets of a recording without damage, in the order of the replay.
fn packets(file: &Path) -> Result<Vec<Line>> {
    let (lines, messages) = replayed(&[file])?;
    ensure!(!messages.contains("damage"), "{messages}");
    Ok(lines.into_iter().filter(Line::is_packet).collect())
}

fn stopped_while_the_clock_changes(lab: &Lab) -> Result<()> {
    let file = Path::new("/tmp/stopped.rsct");
    let recorder = Recorder::start(&lab.server.name, file, &["--no-causes"])?;
    let (client, server) = traffic::udp(lab, 9000)?;
    traffic::request(&client, &server)?;
    recorder.signal(libc::SIGSTOP)?;
    let moved = ClockMoved::by(CLOCK_MOVES)?;
    for _ in 0..REQUESTS {
        traffic::request(&client, &server)?;
    }
    sleep(STOPPED);
    recorder.signal(libc::SIGCONT)?;
    traffic::request(&client, &server)?;
    drop(moved);
    traffic::request(&client, &server)?;
    let messages = recorder.stop()?;
    ensure!(messages.contains("0 records lost"), "{messages}");
    let packets = packets(file)?;
    let requests = REQUESTS + 3;
    ensure!(
        packets.len() as u64 == requests,
        "{} packets of {requests}",
        packets.len()
    );
    let times: Vec<i64> = packets
        .iter()
        .filter_map(|line| line.number("/time_ns"))
        .collect();
    ensure!(times.len() == packets.len() && times.is_sorted(), "{times:?}");
    // The clock that was moved is not the clock of the records.
    let span = Duration::from_nanos(
        times
            .last()
            .zip(times.first())
            .map_or(0, |(last, first)| last - first)
            .try_into()?,
    );
    ensure!(
        span >= STOPPED && span < CLOCK_MOVES,
        "{span:?} from the first packet to the last"
    );
    fs::remove_file(file)?;
    Ok(())
}

/// The clock of the guest, moved until this is dropped.
struct ClockMoved(i64);

impl ClockMoved {
    fn by(time: Duration) -> Result<Self> {
        let seconds = time.as_secs().try_into()?;
        move_clock(seconds)?;
        Ok(Self(seconds))
    }
}

impl Drop for ClockMoved {
    fn drop(&mut self) {
        let _ = move_clock(-self.0);
    }
}

fn move_clock(seconds: i64) -> Result<()> {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: both calls get a pointer to a live timespec.
    let set = unsafe {
        libc::clock_gettime(libc::CLOCK_REALTIME, &raw mut time);
        time.tv_sec += seconds;
        libc::clock_settime(libc::CLOCK_REALTIME, &raw const time)
    };
    ensure!(set == 0, "set the clock: {}", std::io::Error::last_os_error());
    Ok(())
}

fn two_at_once(lab: &Lab) -> Result<()> {
    let files = ["/tmp/one.rsct", "/tmp/two.rsct"].map(Path::new);
    let start = |file| Recorder::start(&lab.server.name, file, &["--no-causes"]);
    let (one, two) = (start(files[0])?, start(files[1])?);
    let refused = output(&mut lab.server.rsct(&[
        "record",
        "--no-causes",
        "--duration",
        "10s",
        "-O",
        "/tmp/one.rsct",
    ]))?;
    let message = String::from_utf8_lossy(&refused.stderr);
    ensure!(
        refused.status.code() == Some(1) && message.contains("another rsct is writing this file"),
        "{}\n{message}",
        refused.status
    );
    let (client, server) = traffic::udp(lab, 9001)?;
    for _ in 0..20 {
        traffic::request(&client, &server)?;
        traffic::reply(&client, &server)?;
    }
    one.stop()?;
    two.stop()?;
    let counts = [packets(files[0])?.len(), packets(files[1])?.len()];
    ensure!(counts == [40, 40], "{counts:?} packets of 40 in each file");
    for file in files {
        fs::remove_file(file)?;
    }
    Ok(())
}

fn deleted_file(lab: &Lab) -> Result<()> {
    let directory = Path::new("/tmp/doomed");
    fs::create_dir(directory)?;
    let file = directory.join("a.rsct");
    let recorder = Recorder::start(&lab.server.name, &file, &["--no-causes"])?;
    fs::remove_dir_all(directory)?;
    let (client, server) = traffic::udp(lab, 9002)?;
    let state = || fs::read_to_string(format!("/proc/{}/stat", recorder.id()));
    wait::until("the recorder ends", || {
        traffic::request(&client, &server)?;
        Ok(state().map_or(true, |stat| stat.contains(") Z ")))
    })?;
    let (status, messages) = recorder.ended()?;
    ensure!(
        status.code() == Some(1) && messages.contains("a.rsct: another process deleted the file"),
        "{status}\n{messages}"
    );
    Ok(())
}

fn deleted_namespace() -> Result<()> {
    let file = Path::new("/tmp/namespace.rsct");
    let doomed = Namespace::new("doomed")?;
    doomed.create("-p udp -s 10.0.0.1 -d 10.0.0.2 --sport 7 --dport 8 -t 300")?;
    let recorder = Recorder::start(&doomed.name, file, &["--no-causes"])?;
    let name = doomed.name.clone();
    drop(doomed);
    wait::until("the recording has the end of the entry", || {
        let (lines, _) = replayed(&[file])?;
        Ok(lines.iter().any(|line| line.is_event("destroy")))
    })?;
    let messages = recorder.stop()?;
    ensure!(messages.contains(&name), "{messages}");
    fs::remove_file(file)?;
    Ok(())
}

fn no_such_place() -> Result<()> {
    for (place, cause) in [
        ("/tmp", "Is a directory"),
        ("/no/such/a.rsct", "(create its directory)"),
        ("/sys/kernel/a.rsct", "Permission denied"),
    ] {
        let refused = output(Command::new(rsct()).args(["record", "--duration", "1s", "-O", place]))?;
        let message = String::from_utf8_lossy(&refused.stderr);
        let sentence = message.lines().last().unwrap_or_default();
        ensure!(
            refused.status.code() == Some(1) && sentence.contains(place) && sentence.contains(cause),
            "{place}: {}\n{message}",
            refused.status
        );
    }
    Ok(())
}
