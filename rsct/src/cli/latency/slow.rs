//! Prints calls slower than the threshold, as they happen.

use std::{collections::HashMap, io::Write as _};

use rsct_common::{
    Tuple,
    latency::Function,
    record::{SlowFlags, SlowRecord},
};

use crate::{
    kernel::{interfaces::Names, text::Symbols},
    latency::{Key, Stacks},
    names, outside,
    render::{latency::time, latency_json, words},
};

/// Prints slow calls, and finally their stacks.
pub(super) struct SlowCalls {
    json: bool,
    started_ns: u64,
    stacks: Stacks,
    /// Number of slow calls.
    pub(super) count: u64,
    symbols: Option<Symbols>,
    names: HashMap<u64, String>,
    interfaces: Names,
}

/// Stack frames of the probes themselves.
const OURS: [&str; 4] = ["bpf_prog_", "bpf_trampoline_", "bpf_get_stack", "kretprobe_"];

impl SlowCalls {
    pub(super) fn new(json: bool, started_ns: u64) -> Self {
        Self {
            json,
            started_ns,
            stacks: Stacks::default(),
            count: 0,
            symbols: None,
            names: HashMap::new(),
            interfaces: if json { Names::default() } else { Names::read() },
        }
    }

    /// Appends a slow call.
    pub(super) fn print(&mut self, out: &mut Vec<u8>, record: &SlowRecord) {
        let Some(function) = Function::from_byte(record.function) else {
            return;
        };
        self.count += 1;
        let addresses = addresses(record);
        if self.json {
            let stack = self.symbolize(addresses);
            return latency_json::slow(out, record, &stack);
        }
        if self.count == 1 {
            // Writing to a Vec can't fail, here and below.
            let _ = writeln!(
                out,
                "   SECONDS CPU FUNCTION                     TOOK OUTCOME    STACK  HOOK, FLOW, TASK"
            );
        }
        let number = self.stacks.take(addresses, record.duration_ns);
        let _ = write!(
            out,
            "{:>10.6} {:>3} {:<22} {:>10} {:<10} {number:>5} ",
            record.time_ns.saturating_sub(self.started_ns) as f64 / 1e9,
            record.cpu,
            function.name(),
            time(record.duration_ns),
            Key::outcome(function, record.outcome),
        );
        if record.flags & SlowFlags::HOOK != 0 {
            let _ = write!(out, " {}", names::hook(record.hook));
            let _ = match self.interfaces.interface(record.netns, record.ifindex) {
                Some(name) => write!(out, " {name}"),
                None => write!(out, " if {}", record.ifindex),
            };
        }
        let tuple = Tuple::from_words(record.tuple);
        if tuple.protonum != 0 {
            let name = names::proto::name(tuple.protonum);
            let _ = match name {
                Some(name) => write!(out, " {name} "),
                None => write!(out, " {} ", tuple.protonum),
            };
            words::ends(out, &tuple);
        }
        if record.flags & SlowFlags::TASK != 0 {
            let comm = outside::shown(names::comm(&record.comm));
            let _ = write!(out, " by {comm}[{}]", record.pid);
        }
        out.push(b'\n');
    }

    /// Appends the stacks of the slow calls.
    pub(super) fn stacks(&mut self, out: &mut Vec<u8>) {
        let stacks = std::mem::take(&mut self.stacks);
        for (number, stack) in stacks.iter() {
            let times = if stack.count == 1 { "once" } else { "times" };
            let count = if stack.count == 1 {
                String::new()
            } else {
                format!("{} ", stack.count)
            };
            let _ = writeln!(
                out,
                "\nstack {number}: {count}{times}, the slowest {}",
                time(stack.slowest_ns)
            );
            for line in self.symbolize(&stack.addresses) {
                let _ = writeln!(out, "    {line}");
            }
        }
    }

    /// The functions of a stack, the innermost first, without those of the probes.
    fn symbolize(&mut self, addresses: &[u64]) -> Vec<String> {
        if addresses.is_empty() {
            return vec!["(the kernel could not walk the stack)".to_owned()];
        }
        // Without permission to read them, numbers are printed.
        let symbols = self
            .symbols
            .get_or_insert_with(|| Symbols::read().unwrap_or_default());
        let mut functions = Vec::with_capacity(addresses.len());
        for address in addresses {
            let name = self
                .names
                .entry(*address)
                .or_insert_with(|| name(symbols, *address));
            if !OURS.iter().any(|ours| name.starts_with(ours)) {
                functions.push(name.clone());
            }
        }
        functions
    }
}

/// An address as in kernel messages, `nf_confirm+0x3a [nf_conntrack]`; the number if the symbol is unknown.
fn name(symbols: &Symbols, address: u64) -> String {
    match symbols.place(address) {
        Some(place) => match place.module {
            Some(module) => format!("{place} [{module}]"),
            None => place.to_string(),
        },
        None => format!("{address:#x}"),
    }
}

fn addresses(record: &SlowRecord) -> &[u64] {
    let bytes = usize::try_from(record.stack_bytes).unwrap_or(0);
    &record.stack[..(bytes / 8).min(record.stack.len())]
}
