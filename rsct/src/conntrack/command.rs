//! The commands, and the options that each requires, allows or forbids.

use super::problem::Problem;

/// A command on a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Command {
    /// `-L`.
    List,
    /// `-I`.
    Create,
    /// `-U`.
    Update,
    /// `-D`.
    Delete,
    /// `-G`.
    Get,
    /// `-F`.
    Flush,
    /// `-E`.
    Event,
    /// `-V`.
    Version,
    /// `-h`.
    Help,
    /// `-L expect`.
    ExpectList,
    /// `-I expect`.
    ExpectCreate,
    /// `-D expect`.
    ExpectDelete,
    /// `-G expect`.
    ExpectGet,
    /// `-F expect`.
    ExpectFlush,
    /// `-E expect`.
    ExpectEvent,
    /// `-C`.
    Count,
    /// `-C expect`.
    ExpectCount,
    /// `-S`.
    Stats,
    /// `-S expect`.
    ExpectStats,
    /// `-A`.
    Add,
    /// No command: prints the usage.
    None,
}

/// A table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum TableName {
    /// The entries.
    #[default]
    Conntrack,
    /// The expectations.
    Expect,
    /// The entries being destroyed.
    Dying,
    /// The entries not yet in the table.
    Unconfirmed,
}

impl TableName {
    /// The table with this name or prefix of a name.
    pub(super) fn named(name: &[u8]) -> Option<Self> {
        [
            ("expect", Self::Expect),
            ("conntrack", Self::Conntrack),
            ("dying", Self::Dying),
            ("unconfirmed", Self::Unconfirmed),
        ]
        .into_iter()
        .find(|(known, _)| known.as_bytes().starts_with(name))
        .map(|(_, table)| table)
    }
}

impl Command {
    /// The command of an option letter on a table.
    pub(super) fn of(letter: u8, table: TableName) -> Result<Self, Problem> {
        let (on_entries, on_expectations) = match letter {
            b'L' => (Self::List, Self::ExpectList),
            b'I' => (Self::Create, Self::ExpectCreate),
            b'D' => (Self::Delete, Self::ExpectDelete),
            b'G' => (Self::Get, Self::ExpectGet),
            b'F' => (Self::Flush, Self::ExpectFlush),
            b'E' => (Self::Event, Self::ExpectEvent),
            b'V' => (Self::Version, Self::Version),
            b'h' => (Self::Help, Self::Help),
            b'C' => (Self::Count, Self::ExpectCount),
            b'S' => (Self::Stats, Self::ExpectStats),
            b'U' => (Self::Update, Self::None),
            _ => (Self::Add, Self::None),
        };
        let command = match table {
            TableName::Dying | TableName::Unconfirmed if letter != b'L' => {
                return Err(Problem::parameter(
                    "Can't do that command with tables `dying' and `unconfirmed'",
                ));
            }
            TableName::Expect => on_expectations,
            _ => on_entries,
        };
        if command == Self::None {
            let name = if letter == b'U' { "update" } else { "add" };
            return Err(Problem::parameter(format!("Can't do --{name} on expectations")));
        }
        Ok(command)
    }

    /// For each option, in the order of [`CtOption`](super::options::CtOption): `0` illegal, `1` compulsory, `2` optional,
    /// `3` both addresses of one direction compulsory.
    pub(super) fn legality(self) -> &'static [u8; 30] {
        //  s d r q p t u z e [ ] { } a m i f n g o c b j w l < > ( ) M
        match self {
            Self::List => b"222220220002202022222022200222",
            Self::Create | Self::Add => b"333311200000022002200002020220",
            Self::Update => b"222222200002202222220000222002",
            Self::Delete => b"222222200002202222220002200222",
            Self::Get => b"333310000000000200020000200000",
            Self::Event => b"222220002002202022222222200222",
            Self::Flush => b"000000000000000020000000000000",
            Self::Help => b"000020000000000000000000000000",
            Self::ExpectList => b"000000000000000020020000000000",
            Self::ExpectCreate => b"112211200111100000000000000000",
            Self::ExpectDelete | Self::ExpectGet => b"112210000000000000000000000000",
            Self::ExpectEvent => b"000000000000000000020000000000",
            Self::Version
            | Self::ExpectFlush
            | Self::Count
            | Self::ExpectCount
            | Self::Stats
            | Self::ExpectStats
            | Self::None => b"000000000000000000000000000000",
        }
    }

    /// Returns whether the command covers all families unless one is given; the other commands default to IPv4.
    pub(super) fn is_of_any_family(self) -> bool {
        matches!(
            self,
            Self::List | Self::Update | Self::Delete | Self::Get | Self::Flush | Self::Event
        )
    }

    /// The text after the number in the summary line; `None` if the command prints no summary.
    pub(super) fn summary(self) -> Option<&'static str> {
        Some(match self {
            Self::List | Self::Get => "flow entries have been shown",
            Self::Create => "flow entries have been created",
            Self::Update => "flow entries have been updated",
            Self::Delete => "flow entries have been deleted",
            Self::Event => "flow events have been shown",
            Self::ExpectEvent => "expectation events have been shown",
            Self::ExpectList | Self::ExpectDelete => "expectations have been shown",
            Self::Add => "flow entries have been added",
            _ => return None,
        })
    }

    /// Returns whether a run that finds nothing succeeds.
    pub(super) fn may_find_nothing(self) -> bool {
        matches!(
            self,
            Self::List | Self::ExpectList | Self::Add | Self::Event | Self::ExpectEvent
        )
    }

    /// The command's name in the error about a load file; `None` if a file may contain it.
    pub(super) fn refused_in_file(self) -> Option<&'static str> {
        Some(match self {
            Self::Create | Self::Add | Self::Update | Self::Delete | Self::Flush => return None,
            Self::List => "-L",
            Self::Get => "-G",
            Self::Event => "-E",
            Self::Version => "-V",
            Self::Help => "-h",
            Self::ExpectList => "-L expect",
            Self::ExpectCreate | Self::ExpectCount => "-C expect",
            Self::ExpectDelete => "-D expect",
            Self::ExpectGet => "-G expect",
            Self::ExpectFlush => "-F expect",
            Self::ExpectEvent => "-E expect",
            Self::Count => "-C",
            Self::Stats => "-S",
            Self::ExpectStats => "-S expect",
            Self::None => "unknown",
        })
    }
}
