//! Calls slower than the threshold, and finally their stacks.

use std::{collections::HashMap, io::Write as _};

use rsct_common::{
    Tuple,
    latency::Function,
    record::{SlowFlags, SlowRecord},
};

use crate::{
    kernel::{interfaces::Names, text::Symbols},
    latency::{Key, Stacks},
    names as numbers, outside,
    render::{latency::time, latency_json, words},
};

/// Prints slow calls, and finally their stacks.
pub(super) struct SlowCalls {
    json: bool,
    /// The time from which on they are printed.
    pub(super) started_ns: u64,
    stacks: Stacks,
    /// Number of slow calls.
    pub(super) count: u64,
    functions: HashMap<u64, String>,
}

/// Stack frames of the probes themselves.
const OURS: [&str; 4] = ["bpf_prog_", "bpf_trampoline_", "bpf_get_stack", "kretprobe_"];

impl SlowCalls {
    pub(super) fn new(json: bool) -> Self {
        Self {
            json,
            started_ns: 0,
            stacks: Stacks::default(),
            count: 0,
            functions: HashMap::new(),
        }
    }

    /// Appends a slow call.
    pub(super) fn print(&mut self, out: &mut Vec<u8>, record: &SlowRecord, symbols: &Symbols, names: &Names) {
        let Some(function) = Function::from_byte(record.function) else {
            return;
        };
        self.count += 1;
        let addresses = record.addresses();
        if self.json {
            let stack = self.symbolize(addresses, symbols);
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
            let _ = write!(out, " {}", numbers::hook(record.hook));
            let _ = match names.interface(record.netns, record.ifindex) {
                Some(name) => write!(out, " {name}"),
                None => write!(out, " if {}", record.ifindex),
            };
        }
        let tuple = Tuple::from_words(record.tuple);
        if tuple.protonum != 0 {
            let name = numbers::proto::name(tuple.protonum);
            let _ = match name {
                Some(name) => write!(out, " {name} "),
                None => write!(out, " {} ", tuple.protonum),
            };
            words::ends(out, &tuple);
        }
        if record.flags & SlowFlags::TASK != 0 {
            let comm = outside::shown(numbers::comm(&record.comm));
            let _ = write!(out, " by {comm}[{}]", record.pid);
        }
        out.push(b'\n');
    }

    /// Appends the stacks of the slow calls.
    pub(super) fn stacks(&mut self, out: &mut Vec<u8>, symbols: &Symbols) {
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
            for line in self.symbolize(&stack.addresses, symbols) {
                let _ = writeln!(out, "    {line}");
            }
        }
    }

    /// The functions of a stack, the innermost first, without those of the probes.
    fn symbolize(&mut self, addresses: &[u64], symbols: &Symbols) -> Vec<String> {
        if addresses.is_empty() {
            return vec!["(the kernel could not walk the stack)".to_owned()];
        }
        let mut functions = Vec::with_capacity(addresses.len());
        for address in addresses {
            let name = self
                .functions
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
