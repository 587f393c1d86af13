//! The attached programs of causes: their records and their counts.

use aya::maps::{HashMap, MapData};
use rsct_common::record::{CauseCountWords, CauseFamily, CauseKeyWords, CauseRecord};

use crate::{
    kernel::{
        btf::{BtfError, KernelTypes},
        hz::{Hz, HzError},
        symbols::SymbolsError,
        text::{self, Symbols},
    },
    probe::{
        cause_hooks, detach,
        hooks::Hook,
        layout::{Layout, LayoutError},
        object::CAUSES,
        proof::Unproven,
        scope::{GlobalValue, Scope},
        session::{Form, HookReport, How, Options, Session, SessionError},
    },
    records::{HookCounts, Lost, Record, Skips},
};

use super::{KeyCount, ProgramsState, Unseen};

/// Enough for the records between two reads.
const RING_BYTES: u32 = 1 << 23;

/// The programs of causes cannot start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProgramsError {
    /// The kernel's types cannot be read.
    #[error(transparent)]
    Types(#[from] BtfError),
    /// The kernel's types differ from those that the programs need.
    #[error(transparent)]
    Layout(#[from] LayoutError),
    /// The duration of a jiffy is unknown.
    #[error(transparent)]
    Hz(#[from] HzError),
    /// The programs cannot be attached.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// The kernel's functions cannot be read.
    #[error(transparent)]
    Symbols(#[from] SymbolsError),
    /// The programs do not run.
    #[error(transparent)]
    Unproven(#[from] Unproven),
    /// The counts cannot be read.
    #[error("cannot read the programs' counts: {0}")]
    Counts(String),
}

/// Attached programs.
pub(crate) struct Programs {
    session: Session,
    counts: HashMap<MapData, CauseKeyWords, CauseCountWords>,
    /// Jiffies a second.
    pub hz: Hz,
    /// The kernel's names of drop reasons.
    drop_reasons: std::collections::HashMap<u16, String>,
    /// The hooks whose function this kernel does not have, or not yet: its module is not loaded.
    absent: Vec<&'static Hook>,
    /// True if they leave packets to a trace.
    leaves_packets: bool,
}

impl Programs {
    /// Attaches the programs for `families`.
    pub(crate) fn start(families: &[CauseFamily], form: Form, scope: Scope) -> Result<Self, ProgramsError> {
        // With several families, one that is not available here does not prevent the others.
        Self::attach(
            &cause_hooks::of(families),
            form,
            scope,
            families.len() == 1,
            false,
        )
    }

    /// Attaches the programs for a trace, which records packets itself.
    pub(crate) fn for_trace(form: Form, scope: Scope) -> Result<Self, ProgramsError> {
        Self::attach(&cause_hooks::for_trace(), form, scope, false, true)
    }

    fn attach(
        hooks: &[&'static Hook],
        form: Form,
        scope: Scope,
        one_topic: bool,
        leaves_packets: bool,
    ) -> Result<Self, ProgramsError> {
        let types = KernelTypes::open()?;
        let layout = Layout::resolve(&types, &CAUSES)?;
        let is_there = |hook: &&&'static Hook| {
            one_topic || !hook.essential || matches!(types.func(hook.function), Ok(Some(_)))
        };
        let (there, absent): (Vec<&'static Hook>, Vec<_>) = hooks.iter().partition(is_there);
        let options = Options {
            form,
            ring_bytes: RING_BYTES,
            births: 1,
            scope,
            log_bpf: false,
            left_out: Vec::new(),
            globals: vec![("EMIT_WHEN_LOGGED", GlobalValue::Word(leaves_packets.into()))],
            map_sizes: Vec::new(),
        };
        let mut session = Session::start(&CAUSES, &there, &types, &layout, &options)?;
        let counts = session
            .take_map("CAUSES")
            .and_then(|map| HashMap::try_from(map).map_err(|error| error.to_string()))
            .map_err(ProgramsError::Counts)?;
        Ok(Self {
            session,
            counts,
            hz: Hz::of_running_kernel()?,
            drop_reasons: text::drop_reasons(&types),
            absent,
            leaves_packets,
        })
    }

    /// Detaches the programs, while others of this process stay attached.
    pub(crate) fn detach(self) {
        drop(self);
        detach::others_remain();
    }

    /// Reads the symbols that name causes.
    pub(crate) fn symbols(&self) -> Result<Symbols, ProgramsError> {
        let logs = |report: &HookReport| report.hook.function.ends_with("l4proto_log_invalid");
        let without_texts = self
            .hooks()
            .iter()
            .any(|report| logs(report) && report.how == How::Not);
        Ok(Symbols::read()?
            .with_drop_reasons(self.drop_reasons.clone())
            .without_log_messages(without_texts))
    }

    /// Proves that the kernel runs the programs.
    pub(crate) fn prove(&self) -> Result<(), Unproven> {
        self.session.prove()
    }

    /// Every hook, and how it is attached.
    pub(crate) fn hooks(&self) -> &[HookReport] {
        &self.session.hooks
    }

    /// Counts the hooks by how they are attached.
    pub(crate) fn attached(&self) -> HookCounts {
        HookCounts::of(self.hooks())
    }

    /// Passes on the available records: no more than the ring holds, because in a flood there are always new ones.
    pub(crate) fn drain(&mut self, mut take: impl FnMut(&CauseRecord)) {
        let most = self.session.ring.capacity();
        self.session.ring.drain(most, |record| {
            if let Record::Cause(record) = record {
                take(record);
            }
        });
    }

    /// Reads the counts up to now.
    pub(crate) fn counts(&self) -> Result<Vec<KeyCount>, ProgramsError> {
        let counts: Result<Vec<_>, _> = self.counts.iter().collect();
        let counts = counts.map_err(|error| ProgramsError::Counts(error.to_string()))?;
        Ok(counts
            .into_iter()
            .map(|(key, count)| KeyCount {
                key: zerocopy::transmute!(key),
                count: zerocopy::transmute!(count),
            })
            .collect())
    }

    /// Their state now.
    pub(crate) fn state(&self) -> ProgramsState {
        ProgramsState {
            leaves_packets: self.leaves_packets,
            unseen: self.unseen(),
            unproven: self.prove().err(),
            lost: self.lost(),
            skips: self.skips(),
            malformed: self.malformed(),
        }
    }

    /// Hooks that are missing or not attached on this kernel.
    fn unseen(&self) -> Vec<Unseen> {
        let refused = self.hooks().iter().filter(|report| report.how == How::Not);
        let refused = refused.map(|report| Unseen {
            function: report.hook.function.into(),
            shows: report.hook.shows.into(),
            why: report.why_not_better.join("; "),
        });
        let absent = self.absent.iter().map(|hook| Unseen {
            function: hook.function.into(),
            shows: hook.shows.into(),
            why: "this kernel has no such function, or its module is not loaded".to_owned(),
        });
        refused.chain(absent).collect()
    }

    /// Returns the number of lost records.
    pub(crate) fn lost(&self) -> Lost {
        self.session.ring.lost()
    }

    /// Records that could not be decoded: there must be none.
    pub(crate) fn malformed(&self) -> u64 {
        self.session.ring.malformed
    }

    /// Returns the number of program runs that the kernel skipped.
    pub(crate) fn skips(&self) -> Skips {
        self.session.skips()
    }
}
