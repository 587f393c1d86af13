//! What the programs could not deliver, counted per CPU: nothing is lost in silence.

/// Why a record did not come, or came incomplete. The index into the programs' counters.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// No room in the ring for a packet's record.
    PacketRecord = 0,
    /// No room in the ring for an entry's record.
    EntryRecord = 1,
    /// A packet's pass found no free slot for what it had to remember; it was recorded without its
    /// state before and without its cost.
    PassForgotten = 2,
    /// The same for an operation on an entry, which then went unrecorded.
    OperationForgotten = 3,
    /// The table of flows' births is full; a flow's records carry no birth.
    BirthUnknown = 4,
    /// No room in the ring for which policy governs a flow's timeouts.
    PolicyRecord = 5,
    /// No room in the ring for what else is known of an entry of a dump.
    DumpRecord = 6,
    /// No room in the ring for why something happened; it was counted all the same.
    CauseRecord = 7,
    /// No room in the table of counts: what happened was not counted under its cause.
    CauseCount = 8,
    /// No room for what a tracker said of a packet before that is judged.
    ReasonForgotten = 9,
    /// No room in the ring for what took too long.
    SlowRecord = 10,
    /// No room for the durations of another namespace or protocol.
    TallyUnkept = 11,
}

/// How many kinds of loss there are.
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

    /// The name it is shown and documented under.
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

    /// One sentence for people.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::PacketRecord => "the ring was full when a packet had to be recorded",
            Self::EntryRecord => "the ring was full when a change of an entry had to be recorded",
            Self::PassForgotten => {
                "too many packets were under way at once on one CPU; this one has no cost and no state before"
            }
            Self::OperationForgotten => "too many operations on entries were under way at once on one CPU",
            Self::BirthUnknown => "the table of flows' births was full",
            Self::PolicyRecord => "the ring was full when a flow's timeout policy had to be recorded",
            Self::DumpRecord => "the ring was full when an entry of a dump had to be told more of",
            Self::CauseRecord => "the ring was full when a cause had to be recorded; its count holds it",
            Self::CauseCount => "the table of causes' counts was full",
            Self::ReasonForgotten => "too many packets with a reason were under way at once",
            Self::SlowRecord => "the ring was full when something slow had to be told of",
            Self::TallyUnkept => "there was no room for the durations of another namespace or protocol",
        }
    }
}
