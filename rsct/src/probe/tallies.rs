//! The counts of the programs of `rsct latency`, read from their maps.

use aya::maps::{Map, MapData, MapError, PerCpuArray, PerCpuHashMap, PerCpuValues};
use rsct_common::latency::{
    BUCKETS, COUNTS, Count, Function, HOOKS, ROWS, STATE_WORDS, Tally as Counted, gc,
};

use crate::latency::{By, Counts, Gc, Key, Reading, Tally};

use super::{attach::chain, session::Session};

/// The maps, and the key of the groups.
pub(crate) struct Tallies {
    by: By,
    rows: PerCpuArray<MapData, Counted>,
    by_key: PerCpuHashMap<MapData, u64, Counted>,
    states: PerCpuArray<MapData, [u64; STATE_WORDS]>,
}

/// The maps cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read the programs' counts: {0}")]
pub(crate) struct TalliesError(String);

impl From<MapError> for TalliesError {
    fn from(error: MapError) -> Self {
        Self(chain(&error))
    }
}

impl Tallies {
    /// Opens the maps of a session of the latency object.
    pub(crate) fn of(session: &mut Session, by: By) -> Result<Self, TalliesError> {
        let mut take = |name| session.take_map(name).map_err(TalliesError);
        Ok(Self {
            by,
            rows: PerCpuArray::try_from(take("TALLIES")?)?,
            by_key: PerCpuHashMap::try_from(take("TALLIES_BY_KEY")?)?,
            states: PerCpuArray::try_from(take("STATES")?)?,
        })
    }

    /// Resets all that was counted while programs were being attached, including the largest values. Concurrent
    /// counts may stay: a reading right after it shows them.
    pub(crate) fn clear(&mut self) -> Result<(), TalliesError> {
        let cpus = aya::util::nr_cpus().map_err(|(_, error)| TalliesError(error.to_string()))?;
        let cpus = usize::try_from(u32::from(cpus)).unwrap_or(1);
        for row in 0..ROWS {
            let zeroes = PerCpuValues::try_from(vec![[0; BUCKETS + 2]; cpus])
                .map_err(|error| TalliesError(error.to_string()))?;
            self.rows.set(row, zeroes, 0)?;
        }
        let keys: Vec<u64> = self.by_key.keys().filter_map(Result::ok).collect();
        for key in keys {
            self.by_key.remove(&key)?;
        }
        Ok(())
    }

    /// Reads all counts so far.
    pub(crate) fn read(&self) -> Result<Reading, TalliesError> {
        let mut reading = Reading {
            counts: self.counts()?,
            gc: Gc {
                buckets: self.row(gc::BUCKETS)?,
                reaped: self.row(gc::REAPED)?,
                late: self.row(gc::LATE)?,
                evicted: self.count(Function::Gc, Count::EvictedByGc)?,
            },
            ..Reading::default()
        };
        for function in Function::ALL {
            self.durations(function, &mut reading)?;
        }
        if matches!(self.by, By::Proto | By::Netns) {
            self.keyed(&mut reading)?;
        }
        Ok(reading)
    }

    /// Reads the durations of a function whose rows are outcomes, hooks, or a single row.
    fn durations(&self, function: Function, reading: &mut Reading) -> Result<(), TalliesError> {
        let first = function.first_row();
        match self.by {
            By::Outcome | By::Hook => {
                for index in 0..rows(function) {
                    let key = match self.by {
                        _ if rows(function) == 1 => Key::All,
                        By::Outcome => Key::Outcome(index as u8),
                        _ if function == Function::ConntrackIn => Key::Hook(index as u8),
                        // The first row has all of them.
                        _ => Key::All,
                    };
                    keep(reading, function, key, self.row(first + index)?);
                }
            }
            By::Cpu => {
                for (cpu, counted) in self.rows.get(&first, 0)?.iter().enumerate() {
                    let mut tally = Tally::default();
                    tally.add(counted);
                    keep(reading, function, Key::Cpu(cpu as u32), tally);
                }
            }
            By::Proto | By::Netns => {}
        }
        Ok(())
    }

    /// Reads the durations by protocol or namespace.
    fn keyed(&self, reading: &mut Reading) -> Result<(), TalliesError> {
        for entry in self.by_key.iter() {
            let (key, per_cpu) = entry?;
            let Some(function) = Function::from_byte((key >> 32) as u8) else {
                continue;
            };
            let key = match self.by {
                _ if !is_of_flows(function) => Key::All,
                By::Proto => Key::Proto(key as u8),
                _ => Key::Netns(key as u32),
            };
            keep(reading, function, key, sum(&per_cpu));
        }
        Ok(())
    }

    fn row(&self, row: u32) -> Result<Tally, TalliesError> {
        Ok(sum(&self.rows.get(&row, 0)?))
    }

    fn counts(&self) -> Result<Counts, TalliesError> {
        let of_passes = |count| self.count(Function::ConntrackIn, count);
        let mut counts = Counts {
            tracked_already: of_passes(Count::TrackedAlready)? + of_passes(Count::TrackedAlreadyAfterAll)?,
            untracked_already: of_passes(Count::UntrackedAlready)?,
            ..Counts::default()
        };
        for function in Function::ALL {
            // One copy of each CPU's counts: a call that begins and ends in between is in neither or both.
            let per_cpu = self.states.get(&(function as u32), 0)?;
            let under_way = |state: &[u64; STATE_WORDS]| {
                state[Count::Entered as usize].saturating_sub(state[Count::Left as usize])
            };
            counts
                .unfinished
                .insert(function, per_cpu.iter().map(under_way).sum());
        }
        Ok(counts)
    }

    fn count(&self, function: Function, count: Count) -> Result<u64, TalliesError> {
        const { assert!(COUNTS <= STATE_WORDS) };
        let per_cpu = self.states.get(&(function as u32), 0)?;
        Ok(per_cpu.iter().map(|state| state[count as usize]).sum())
    }
}

/// Returns the number of rows of a function.
fn rows(function: Function) -> u32 {
    match function {
        Function::ConntrackIn => HOOKS,
        Function::Confirm | Function::NatSetup => 4,
        _ => 1,
    }
}

/// True if the function handles flows.
fn is_of_flows(function: Function) -> bool {
    rows(function) > 1
}

fn keep(reading: &mut Reading, function: Function, key: Key, tally: Tally) {
    if tally.count() != 0 {
        reading
            .durations
            .entry((function, key))
            .or_default()
            .merge(&tally);
    }
}

fn sum(per_cpu: &PerCpuValues<Counted>) -> Tally {
    let mut tally = Tally::default();
    for counted in per_cpu.iter() {
        tally.add(counted);
    }
    tally
}

/// Reads the durations in a function's first row.
pub(super) fn first_row(map: Map, function: Function) -> Result<Tally, TalliesError> {
    let rows: PerCpuArray<MapData, Counted> = PerCpuArray::try_from(map)?;
    Ok(sum(&rows.get(&function.first_row(), 0)?))
}
