//! Debian's Prometheus scrapes rsct in a guest while a table fills (`rsct-tests prometheus`).

use anyhow::{Result, bail};

use super::plan::Listed;
use crate::{
    machine,
    report::{Scenarios, Tally},
    vm::Boot,
};

/// The scenario's name, for filters.
const NAME: &str = "prometheus_alerts_while_the_table_fills";

/// Boots a guest with Prometheus on the newest kernel, and runs the scenario.
pub fn run(listed: &Result<Listed, String>, filter: Option<&str>) -> Result<Tally> {
    if let Err(complaint) = listed {
        bail!("{complaint}");
    }
    if filter.is_some_and(|filter| !NAME.contains(filter)) {
        return Ok(Tally::default());
    }
    machine::ensure(&[machine::FOR_GUESTS])?;
    crate::emulator::ensure()?;
    let with = ["prometheus".to_owned()];
    let guest = Boot {
        with: &with,
        script: "rsct-tests prometheus 2>&1".to_owned(),
        timeout: Some(std::time::Duration::from_secs(1800)),
        ..Boot::default()
    };
    let mut bytes = Vec::new();
    let code = guest.run(&mut |more| bytes.extend_from_slice(more))?;
    let mut scenarios = Scenarios::default();
    for line in String::from_utf8_lossy(&bytes).lines() {
        scenarios.line(line.trim_end());
    }
    Ok(scenarios.end(code.into()).at("prometheus"))
}
