//! Losses in the programs, counted per CPU.

/// Why a record is missing or incomplete. The index into the programs' counters.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// The ring was full for a packet's record.
    PacketRecord = 0,
    /// The ring was full for an entry's record.
    EntryRecord = 1,
    /// No slot was free for a packet's traversal; its record has no state before and no cost.
    PassForgotten = 2,
    /// No slot was free for an operation on an entry, which has no record.
    OperationForgotten = 3,
    /// The table of births is full; the flow's records carry no birth.
    BirthUnknown = 4,
    /// The ring was full for the policy that governs a flow's timeouts.
    PolicyRecord = 5,
    /// The ring was full for the record of a dumped entry.
    DumpRecord = 6,
    /// The ring was full for a cause's record; its count includes it.
    CauseRecord = 7,
    /// The table of counts is full: the cause was not counted.
    CauseCount = 8,
    /// The table of reasons is full: the tracker's reason was lost before the packet's verdict.
    ReasonForgotten = 9,
    /// The ring was full for the record of a slow call.
    SlowRecord = 10,
    /// The table of durations is full: no key for another namespace or protocol.
    TallyUnkept = 11,
}

/// The number of kinds of loss.
pub const LOSSES: usize = 12;

impl Loss {
    /// Every kind, in the counters' order.
    pub const ALL: [Self; LOSSES] = [
        Self::PacketRecord,
        Self::EntryRecord,
        Self::PassForgotten,
        Self::OperationForgotten,
        Self::BirthUnknown,
        Self::PolicyRecord,
        Self::DumpRecord,
        Self::CauseRecord,
        Self::CauseCount,
        Self::ReasonForgotten,
        Self::SlowRecord,
        Self::TallyUnkept,
    ];

    /// The name in output and documentation.
    pub const fn name(self) -> &'static str {
        match self {
            Self::PacketRecord => "packet_record",
            Self::EntryRecord => "entry_record",
            Self::PassForgotten => "pass_forgotten",
            Self::OperationForgotten => "operation_forgotten",
            Self::BirthUnknown => "birth_unknown",
            Self::PolicyRecord => "policy_record",
            Self::DumpRecord => "dump_record",
            Self::CauseRecord => "cause_record",
            Self::CauseCount => "cause_count",
            Self::ReasonForgotten => "reason_forgotten",
            Self::SlowRecord => "slow_record",
            Self::TallyUnkept => "tally_unkept",
        }
    }

    /// One sentence for users.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::PacketRecord => "the ring was full: packet not recorded",
            Self::EntryRecord => "the ring was full: operation on an entry not recorded",
            Self::PassForgotten => {
                "too many packets in progress on one CPU: packet recorded without cost and previous state"
            }
            Self::OperationForgotten => "too many operations in progress on one CPU: operation not recorded",
            Self::BirthUnknown => "the table of births was full: flow recorded without its birth",
            Self::PolicyRecord => "the ring was full: timeout policy of a flow not recorded",
            Self::DumpRecord => "the ring was full: timeout source of a dumped entry not recorded",
            Self::CauseRecord => "the ring was full: cause counted, but not recorded",
            Self::CauseCount => "the table of counts was full: cause not counted",
            Self::ReasonForgotten => "too many packets in progress with a logged reason: reason forgotten",
            Self::SlowRecord => "the ring was full: slow call not recorded",
            Self::TallyUnkept => "the table of durations was full: namespace or protocol not measured",
        }
    }
}
