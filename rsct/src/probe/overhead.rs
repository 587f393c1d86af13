//! The cost of measuring on this machine, measured by test runs of programs (`BPF_PROG_TEST_RUN`).

use std::{
    os::fd::{AsFd as _, BorrowedFd},
    time::Instant,
};

use aya::{
    Ebpf,
    programs::{Program as AyaProgram, SchedClassifier},
};
use rsct_common::latency::{CLOCK_READS, Function};

use crate::{
    kernel::{
        bpf_syscall::{self, BpfError},
        btf::KernelTypes,
    },
    latency::{Overhead, Tally},
};

use super::{
    attach::{attach_kprobes, attach_tracing, chain, find_function},
    hooks::NOTHING,
    layout::Layout,
    object::LATENCY,
    session::{Form, Options, create_maps},
    tallies,
    tracing::Tracing,
};

/// The number of runs in a stretch of a program that reads the clock [`CLOCK_READS`] times, and the number of
/// stretches, of which the shortest counts: interrupts lengthen the others.
const CLOCK_ROUNDS: u32 = 50;
const STRETCHES: u32 = 5;
/// The number of calls of the function that does nothing, with and without programs.
pub(crate) const CALLS: u32 = 200;
/// The smallest packet for such a program: an Ethernet header.
const PACKET: [u8; 14] = [0; 14];

/// Measures the cost of measuring, with programs of the form in use.
pub(crate) fn measure(types: &KernelTypes, layout: &Layout, options: &Options) -> Result<Overhead, String> {
    // Other settings would count the function's durations elsewhere, or emit records.
    let options = Options {
        globals: Vec::new(),
        map_sizes: Vec::new(),
        ..options.clone()
    };
    let mut ebpf = create_maps(&LATENCY, layout, &options, 0).map_err(|error| chain(&error))?;
    let round = |ebpf: &mut Ebpf, name| -> Result<f64, String> {
        let ns = run_alone(ebpf, name)?;
        Ok(f64::from(ns))
    };
    let clock_ns = (round(&mut ebpf, "clock")? - round(&mut ebpf, "no_clock")?).max(0.0);

    let function = find_function(types, &NOTHING)?;
    let mut tracing = Tracing::link(LATENCY.trampolines, &ebpf, &[&NOTHING], layout.cast)?;
    // Its test run makes the kernel call the function; it needs no attachment.
    let caller = tracing.load(NOTHING.trampoline[0], &function)?;
    let without_ns = call(caller.as_fd()).map_err(|error| error.to_string())?;
    let by_fentry = match options.form {
        Form::Kprobe => Err("kprobes requested".to_owned()),
        Form::Best | Form::Fentry => attach_tracing(types, layout, &mut tracing, &NOTHING),
    };
    if let Err(why) = &by_fentry {
        if options.form == Form::Fentry {
            return Err(why.clone());
        }
        attach_kprobes(types, layout, &mut ebpf, &NOTHING)?;
    }
    let with_ns = call(caller.as_fd()).map_err(|error| error.to_string())?;
    drop(by_fentry);
    let map = ebpf.take_map("TALLIES").ok_or("the object has no map TALLIES")?;
    let shown: Tally = tallies::first_row(map, Function::Nothing).map_err(|error| error.to_string())?;
    Ok(Overhead {
        clock_ns: clock_ns / f64::from(CLOCK_READS),
        pair_ns: with_ns.saturating_sub(without_ns),
        shown_ns: shown
            .quantile(500)
            .ok_or("the test run did not call bpf_fentry_test1")?,
    })
}

/// Returns the nanoseconds of one run of a program.
fn run_alone(ebpf: &mut Ebpf, name: &str) -> Result<u32, String> {
    let program: &mut SchedClassifier = match ebpf.program_mut(name) {
        Some(AyaProgram::SchedClassifier(program)) => program,
        _ => return Err(format!("the object has no program {name}")),
    };
    program.load().map_err(|error| chain(&error))?;
    let fd = program.fd().map_err(|error| chain(&error))?;
    let mut least = u32::MAX;
    for _ in 0..STRETCHES {
        let ns = bpf_syscall::prog_test_run(fd.as_fd(), &PACKET, CLOCK_ROUNDS)
            .map_err(|error| error.to_string())?;
        least = least.min(ns);
    }
    Ok(least)
}

/// Returns the nanoseconds of a test run in which the kernel calls the function once: the median.
fn call(caller: BorrowedFd<'_>) -> Result<u64, BpfError> {
    let mut times = Vec::with_capacity(CALLS as usize);
    for _ in 0..CALLS {
        let start = Instant::now();
        bpf_syscall::prog_test_run(caller, &[], 0)?;
        times.push(start.elapsed().as_nanos() as u64);
    }
    times.sort_unstable();
    Ok(times[times.len() / 2])
}
