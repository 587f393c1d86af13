//! The traced namespace is deleted: rsct does not keep it alive, reports the deletion of its entries, and continues.

use anyhow::{Result, ensure};

use crate::{lab::Trace, native::namespace::Namespace};

pub fn run() -> Result<()> {
    let doomed = Namespace::new("doomed")?;
    let name = doomed.name.clone();
    doomed.create("-p udp -s 10.0.0.1 -d 10.0.0.2 --sport 7 --dport 8 -t 300")?;
    let trace = Trace::start(&name, &[])?;
    drop(doomed);
    // The kernel deletes the entries when the namespace has no reference left.
    for event in ["delete", "destroy"] {
        let gone = trace.wait_for("the entry went with its namespace", |line| line.is_event(event))?;
        ensure!(
            gone.text("/orig/src") == "10.0.0.1" && gone.number("/flow") == Some(1),
            "{gone}"
        );
    }
    let ended = trace.stop()?;
    ensure!(ended.status.code() == Some(0), "{}", ended.told());
    let sentences = ended.stderr.lines().filter(|line| line.contains(&name)).count();
    ensure!(sentences == 1, "not one sentence about it:\n{}", ended.stderr);
    ended.summary()?;
    Ok(())
}
