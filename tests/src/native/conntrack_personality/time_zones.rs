//! Times are in the time zone that `TZ` names, in any of its forms.

use anyhow::{Context as _, Result, ensure};

use super::{
    grid::{self, Report},
    lab::{ConntrackLab, ConntrackTool, same},
    normal::Tables,
};
use crate::native::namespace::{Namespace, output};

const ZONES: &[&str] = &[
    "EST5EDT",
    "EST5EDT4,M3.2.0/1,M11.1.0",
    "EST5EDT,",
    "CET-1CEST",
    "CET-1CEST,M3.5.0,M10.5.0/3",
    "<+0530>-5:30",
    "NZST-12NZDT,M9.5.0,M4.1.0/3",
    "XXX3YYY,J60,J300",
    "XXX3YYY,60,300",
    ":America/New_York",
    "Asia/Kolkata",
    "/usr/share/zoneinfo/Asia/Tokyo",
    "Nowhere/Nothing",
    "nonsense",
    "UTC",
    "",
    ":",
];

pub fn run() -> Result<()> {
    let lab = ConntrackLab::new()?;
    let namespace = Namespace::new("zones")?;
    namespace.sysctl("net/netfilter/nf_conntrack_timestamp", "1")?;
    namespace.create("-p udp -s 10.0.0.1 -d 10.0.0.2 --sport 1 --dport 2 -t 600")?;
    let mut report = Report::default();
    for zone in ZONES {
        for line in ["-L -o ktimestamp", "-L -o xml,ktimestamp"] {
            report.add(
                &format!("TZ={zone} {line}"),
                one(&lab, &namespace, Some(zone), line),
            );
        }
    }
    report.add("TZ unset", one(&lab, &namespace, None, "-L -o ktimestamp"));
    report.end(2 * ZONES.len() + 1)
}

fn one(lab: &ConntrackLab, namespace: &Namespace, zone: Option<&str>, line: &str) -> Result<()> {
    let run = |tool| {
        let mut command = lab.command(tool, namespace, &grid::words(line));
        match zone {
            Some(zone) => command.env("TZ", zone),
            None => command.env_remove("TZ"),
        };
        anyhow::Ok(lab.normalised(&output(&mut command)?, Tables::Same))
    };
    let theirs = run(ConntrackTool::Conntrack)?;
    ensure!(theirs[0].contains("start"), "no time in {}", theirs[0]);
    same(&theirs, &run(ConntrackTool::Rsct)?).with_context(|| theirs[0].clone())
}
