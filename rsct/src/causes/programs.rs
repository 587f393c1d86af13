//! The programs of causes at work: what they record, and what they count.

use aya::maps::{HashMap, MapData};
use rsct_common::record::{CauseCount, CauseCountWords, CauseFamily, CauseKey, CauseKeyWords, CauseRecord};

use crate::{
    kernel::{
        btf::{BtfError, KernelTypes},
        hz::{Hz, HzError},
        symbols::SymbolsError,
        text::Symbols,
    },
    probe::{
        cause_hooks,
        hooks::Hook,
        layout::{Layout, LayoutError},
        object::CAUSES,
        proof::Unproven,
        ring::{Lost, Record},
        scope::{Scope, GlobalValue},
        session::{HookCounts, Form, HookReport, How, Options, Session, SessionError, Skips},
    },
};

/// Room for what comes between two looks.
const RING_BYTES: u32 = 1 << 23;

/// Why causes can't be told.
#[derive(Debug, thiserror::Error)]
pub enum ProgramsError {
    /// The kernel's types can't be read.
    #[error(transparent)]
    Types(#[from] BtfError),
    /// They are not what the programs need.
    #[error(transparent)]
    Layout(#[from] LayoutError),
    /// How long a jiffy is can't be found out.
    #[error(transparent)]
    Hz(#[from] HzError),
    /// The programs can't be attached.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// The kernel's functions can't be read.
    #[error(transparent)]
    Symbols(#[from] SymbolsError),
    /// The programs do not run.
    #[error(transparent)]
    Unproven(#[from] Unproven),
    /// The counts can't be read.
    #[error("cannot read what the programs have counted: {0}")]
    Counts(String),
}

/// Programs at work.
pub struct Programs {
    session: Session,
    counts: HashMap<MapData, CauseKeyWords, CauseCountWords>,
    /// Jiffies a second.
    pub hz: u32,
    /// The kernel's types.
    pub types: KernelTypes,
    /// What this kernel has not, or not yet: its module is not loaded.
    pub absent: Vec<&'static Hook>,
}

/// How often something was met: exact, whatever became of its records.
#[derive(Clone, Copy, Debug)]
pub struct KeyCount {
    /// What.
    pub key: CauseKey,
    /// How often, and in which words.
    pub count: CauseCount,
}

impl Programs {
    /// Attaches those that tell of `families`.
    pub fn start(families: &[CauseFamily], form: Form, scope: Scope) -> Result<Self, ProgramsError> {
        // Where much is asked for, what can't be told here does not keep the rest from being told.
        Self::attach(
            &cause_hooks::of(families),
            form,
            scope,
            families.len() == 1,
            false,
        )
    }

    /// Attaches those whose causes a trace has something to say of. What becomes of packets it sees for itself.
    pub fn for_trace(form: Form, scope: Scope) -> Result<Self, ProgramsError> {
        Self::attach(&cause_hooks::for_trace(), form, scope, false, true)
    }

    fn attach(
        hooks: &[&'static Hook],
        form: Form,
        scope: Scope,
        one_topic: bool,
        emit_when_logged: bool,
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
            globals: vec![("EMIT_WHEN_LOGGED", GlobalValue::Word(emit_when_logged.into()))],
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
            hz: Hz::of_running_kernel()?.get(),
            types,
            absent,
        })
    }

    /// What the causes are named by.
    pub fn symbols(&self) -> Result<Symbols, ProgramsError> {
        let says = |report: &HookReport| report.hook.function.ends_with("l4proto_log_invalid");
        let wordless = self
            .hooks()
            .iter()
            .any(|report| says(report) && report.how == How::Not);
        Ok(Symbols::read()?
            .with_drop_reasons(&self.types)
            .without_words(wordless))
    }

    /// Proves that the kernel runs the programs.
    pub fn prove(&self) -> Result<(), Unproven> {
        self.session.prove()
    }

    /// Every hook, and how it is attached.
    pub fn hooks(&self) -> &[HookReport] {
        &self.session.hooks
    }

    /// How each hook is attached, counted.
    pub fn attached(&self) -> HookCounts {
        HookCounts::of(self.hooks())
    }

    /// Hands over the records that have come: no more than the ring holds, as in a flood there are new ones all the time.
    pub fn drain(&mut self, mut take: impl FnMut(&CauseRecord)) {
        let most = self.session.ring.capacity();
        self.session.ring.drain(most, |record| {
            if let Record::Cause(record) = record {
                take(record);
            }
        });
    }

    /// What was counted up to now.
    pub fn counts(&self) -> Result<Vec<KeyCount>, ProgramsError> {
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

    /// What was lost.
    pub fn lost(&self) -> Lost {
        self.session.ring.lost()
    }

    /// Records that made no sense: there must be none.
    pub fn malformed(&self) -> u64 {
        self.session.ring.malformed
    }

    /// What the kernel left out.
    pub fn skips(&self) -> Skips {
        self.session.skips()
    }
}
