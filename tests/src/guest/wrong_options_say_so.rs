//! Invalid options: one sentence, and the exit code of wrong usage.

use std::process::Command;

use anyhow::Result;

use crate::{native::namespace::rsct, sentence::one_sentence};

pub fn run() -> Result<()> {
    for (args, sentence) in [
        ("trace --count 0", "invalid value '0' for '--count"),
        ("trace --count many", "invalid value 'many'"),
        ("trace --duration 5y", "unknown unit y"),
        ("trace --duration soon", "expected a number with a unit"),
        ("trace --ring-size 5", "power of two"),
        ("trace --attach uprobe", "invalid value 'uprobe'"),
        ("trace -o yaml", "invalid value 'yaml'"),
        ("trace -s 10.0.0.1/33", "expected an IPv4 or IPv6 address"),
        ("trace -p icmp --dport 80", "protocol 1 has none"),
        ("trace -l 3", "packet records do not have this field"),
        ("record -O a.rsct --keep 2", "--keep: there is one file only"),
        ("record -O a.rsct --max-age 5ms", "at least 1s"),
        ("trace stray", "unexpected argument 'stray'"),
        ("doctor --netns all", "unexpected argument '--netns'"),
        ("tracer", "unrecognized subcommand 'tracer'"),
    ] {
        one_sentence(Command::new(rsct()).args(args.split(' ')), 2, sentence)?;
    }
    Ok(())
}
