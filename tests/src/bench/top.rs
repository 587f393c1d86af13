//! Cost of `rsct top`: for each packet, for each refresh, and with a large table next to iptstate, which dumps it for each
//! refresh.

use std::{path::Path, thread, time::Duration};

use anyhow::Result;

use super::{
    table::{
        entries::{self, Subset},
        machine::Settings,
        netlink::Ctnetlink,
        process::{self, Output},
    },
    tracer::{Tracer, on_cpu, status_kib},
    udp::{LoadFlow, PACKETS},
    word,
};
use crate::{
    lab::tmux::Tmux,
    native::namespace::{Namespace, rsct},
};

/// Intervals whose refreshes are measured.
const REFRESHES: u32 = 10;
/// Traversals per second of the target, and the instructions that they may cost in that second: 1 % of a processor that
/// executes one in each nanosecond.
const TRAVERSALS: u64 = 10_000;
const PERCENT: u64 = 10_000_000;
const OUT: &str = "/tmp/bench.top";
/// Entries of the large table.
const ENTRIES: u32 = 1_000_000;
/// rsct may cost this part of iptstate.
const PART: u32 = 10;
/// The time in which both run.
const WINDOW: Duration = Duration::from_secs(20);

/// Measures both, and prints them. Returns the number of missed targets.
pub fn measure(only: Option<&str>) -> Result<u32> {
    let mut missed = 0;
    if only.is_none_or(|only| only == "packets") {
        missed += packets()?;
    }
    if only.is_none_or(|only| only == "table") {
        missed += table()?;
    }
    Ok(missed)
}

fn packets() -> Result<u32> {
    let flow = LoadFlow::open()?;
    flow.warm_up()?;
    let mut tracer = Tracer::start(&["rsct", "top", "-o", "json"])?;
    tracer.until("its causes", Duration::from_millis(50), || {
        Ok(Tracer::out()?.contains(r#""type":"causes""#))
    })?;
    tracer.settle()?;
    let before = tracer.on_cpu()?;
    thread::sleep(Duration::from_secs(u64::from(REFRESHES)));
    let refresh = (tracer.on_cpu()? - before) / REFRESHES;
    let before = tracer.on_cpu()?;
    let begun = std::time::Instant::now();
    flow.run()?;
    thread::sleep(Duration::from_secs(2));
    let refreshes = refresh.mul_f64(begun.elapsed().as_secs_f64());
    let process = (tracer.on_cpu()? - before).saturating_sub(refreshes);
    tracer.stop()?;
    let each = u64::try_from(process.as_nanos())? / (2 * u64::from(PACKETS));
    let refresh = u64::try_from(refresh.as_nanos())?;
    let second = TRAVERSALS * each + refresh;
    let met = second <= PERCENT;
    println!(
        "rsct top -o json, in rsct's process: {each} instructions for each traversal, {refresh} for each second \
         without packets;\n{second} in a second with {TRAVERSALS} traversals, target {PERCENT} {}",
        word(met)
    );
    Ok(u32::from(!met))
}

fn table() -> Result<u32> {
    let _settings = Settings::raise(u64::from(ENTRIES) + 1000)?;
    let namespace = Namespace::new("top")?;
    namespace.inside(|| Ctnetlink::open()?.create(entries::flows(ENTRIES, Subset::All)))?;
    println!("{ENTRIES} entries are in the table");
    let rsct = rsct().display().to_string();
    let line = [&rsct, "top", "-o", "json"].map(str::to_owned);
    let top = process::start(&namespace.name, &line, Output::File(Path::new(OUT)))?;
    patiently(|| {
        crate::lab::wait::until("rsct knows the table and its causes", || {
            let out = std::fs::read_to_string(OUT)?;
            Ok(out.contains(r#""type":"causes""#) && out.contains(r#""state":"ESTABLISHED","entries":"#))
        })
    })?;
    let start = on_cpu(top.id())?;
    println!("rsct top knows them");
    // Without a terminal, iptstate prints lines of 65,535 columns.
    let tmux = Tmux::start(&namespace, 80, 24)?;
    tmux.run("iptstate")?;
    patiently(|| tmux.shows(&["Sort by"]).map(drop))?;
    let iptstate = u32::try_from(tmux.running("iptstate")?)?;
    let before = [on_cpu(top.id())?, on_cpu(iptstate)?];
    thread::sleep(WINDOW);
    let after = [on_cpu(top.id())?, on_cpu(iptstate)?];
    let spent = [after[0] - before[0], after[1] - before[1]];
    let resident = [status_kib(top.id(), "VmRSS")?, status_kib(iptstate, "VmRSS")?];
    top.signal(libc::SIGINT)?;
    let (run, _) = top.wait()?;
    println!("\nWith {ENTRIES} entries ({}), in {WINDOW:?}:", entries::MIX);
    println!("{:<24} {:>14} {:>14}", "", "CPU ns", "memory KiB");
    for (number, name) in ["rsct top -o json", "iptstate"].iter().enumerate() {
        println!(
            "{name:<24} {:>14} {:>14}",
            spent[number].as_nanos(),
            resident[number]
        );
    }
    println!(
        "rsct's start, which dumps the table once: {} ns of CPU; at most {} KiB resident",
        start.as_nanos(),
        run.peak_kib
    );
    let is_cheap = spent[0] * PART <= spent[1];
    let is_small = resident[0] * u64::from(PART) <= resident[1];
    println!(
        "target a tenth: CPU {}, memory {}",
        word(is_cheap),
        word(is_small)
    );
    Ok(u32::from(!is_cheap) + u32::from(!is_small))
}

/// Repeats a wait: a large table takes longer than any step of a scenario.
fn patiently(mut wait: impl FnMut() -> Result<()>) -> Result<()> {
    let mut result = wait();
    for _ in 0..9 {
        if result.is_ok() {
            break;
        }
        result = wait();
    }
    result
}
