//! Prints packets, new entries and drops by cause of a network namespace, each second, until Ctrl-C:
//! `cargo run --example rates -- NETNS`, as root.

use std::{collections::BTreeMap, env, io::Write as _, io::stdout, process::ExitCode, time::Duration};

use rsct::{Notice, Observation, Observer, Operation, Tracer};

/// The numbers of one second.
#[derive(Default)]
struct Rates {
    second: u64,
    packets: u64,
    new: u64,
    drops: BTreeMap<&'static str, u64>,
}

impl Observer for Rates {
    fn observe(&mut self, observation: &Observation<'_>) {
        match observation {
            Observation::Packet(_) => self.packets += 1,
            Observation::Event(event) if event.operation() == Operation::Confirmed => self.new += 1,
            Observation::Cause(why) if why.cause().family() == "drop" => {
                *self.drops.entry(why.cause().name()).or_default() += 1;
            }
            _ => {}
        }
    }

    fn notice(&mut self, notice: &Notice) {
        let _ = writeln!(stdout(), "{notice:?}");
    }

    fn settled(&mut self, until: Duration) {
        if until.as_secs() > self.second {
            let (packets, new, drops) = (self.packets, self.new, &self.drops);
            let _ = writeln!(stdout(), "{packets} packets, {new} new entries, drops {drops:?}");
            *self = Self::default();
            self.second = until.as_secs();
        }
    }
}

fn main() -> ExitCode {
    let netns = env::args().nth(1).unwrap_or_else(|| "all".to_owned());
    let ended = Tracer::new().netns(&netns).run(&mut Rates::default());
    let text = match &ended {
        Ok(summary) => summary.to_string(),
        Err(error) => format!("rates: {error}\n"),
    };
    let _ = std::io::stderr().write_all(text.as_bytes());
    ExitCode::from(u8::from(ended.is_err()))
}
