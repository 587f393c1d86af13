//! What dumps do not tell of their entries' timeouts, from a probe where the kernel writes an entry into a message: in
//! the same moment, so both say the same.

use std::{collections::HashMap, io, thread};

use rsct_common::{
    TupleWords,
    record::{DumpFlags, DumpRecord, PolicyEvent},
};

use crate::{
    flow::{names::proto::TCP, observation::Ticks, table::PolicyOf},
    kernel::{
        btf::{BtfError, KernelTypes},
        hz::{Hz, HzError},
    },
    netlink::{
        Socket,
        conntrack::{Entry, ProtoInfo},
        stats,
    },
    probe::{
        hooks::DUMP_HOOKS,
        layout::{Layout, LayoutError},
        object::TRACE,
        proof::Unproven,
        ring::Record,
        scope::Scope,
        session::{Form, Options, Session, SessionError},
    },
    timeouts::{Sight, Source, TcpSigns},
    waiting::block_on,
};

use super::Known;

/// Room for what comes between two looks, at the pace of a dump.
const RING_BYTES: u32 = 1 << 22;

/// The function to attach to is in a module that the kernel loads when it is first asked something; that it can't be
/// had is said when it is asked for entries.
fn load_ctnetlink() {
    // A thread of its own, as the caller may be in an event loop already.
    let _ = thread::scope(|scope| {
        let asking = thread::Builder::new().spawn_scoped(scope, || {
            block_on(async { stats::table(&mut Socket::open()?).await })
        })?;
        Ok::<_, io::Error>(asking.join())
    });
}

/// Why a listing can't have its probe.
#[derive(Debug, thiserror::Error)]
pub enum ListingError {
    /// The kernel's types can't be read.
    #[error(transparent)]
    Types(#[from] BtfError),
    /// They are not what the program needs.
    #[error(transparent)]
    Layout(#[from] LayoutError),
    /// How long a jiffy is can't be found out.
    #[error(transparent)]
    Hz(#[from] HzError),
    /// The program can't be attached.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// It does not run.
    #[error(transparent)]
    Unproven(#[from] Unproven),
}

/// A probe at work while tables are dumped.
pub struct Listing {
    session: Session,
    known: Known,
    /// What was told of entries that have not been asked for yet.
    told: HashMap<Key, DumpRecord>,
    policies: HashMap<u64, u32>,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    netns: u32,
    zone: u16,
    orig: TupleWords,
}

impl Listing {
    /// Attaches the probe. The tables may be dumped once this has returned.
    pub fn start(form: Form) -> Result<Self, ListingError> {
        load_ctnetlink();
        let types = KernelTypes::open()?;
        let layout = Layout::resolve(&types, &TRACE)?;
        let hz = Hz::of_running_kernel()?;
        let options = Options {
            form,
            ring_bytes: RING_BYTES,
            births: 1,
            scope: Scope::default(),
            log_bpf: false,
            left_out: Vec::new(),
            globals: Vec::new(),
            map_sizes: Vec::new(),
        };
        let session = Session::start(&TRACE, DUMP_HOOKS, &types, &layout, &options)?;
        match session.prove() {
            Err(error @ Unproven::NotRun { .. }) => return Err(error.into()),
            // A source that no record names is unknown anyway.
            Ok(()) | Err(Unproven::Untested(_)) => {}
        }
        Ok(Self {
            session,
            known: Known::new(Ticks(hz.get())),
            told: HashMap::new(),
            policies: HashMap::new(),
        })
    }

    /// Takes in what was told up to now: before any entry of a message is asked for, all was told of it.
    fn drain(&mut self) {
        let Self {
            session,
            known,
            told,
            policies,
        } = self;
        let most = session.ring.capacity();
        session.ring.drain(most, |record| match record {
            Record::Policy(record) if record.what == PolicyEvent::Governs as u8 => {
                policies.insert(record.policy, known.policy(record));
            }
            Record::Dump(record) => {
                let key = Key {
                    netns: record.netns,
                    zone: record.zone,
                    orig: record.orig,
                };
                told.insert(key, *record);
            }
            _ => {}
        });
    }

    /// Where the timeout of an entry comes from that was just read; `None` for an entry without one. `netns` is the
    /// namespace's inode number.
    pub fn source_of(&mut self, netns: u32, entry: &Entry<'_>) -> Option<Source<'_>> {
        let left_s = entry.timeout?;
        let (sight, policy) = self.sight_of(netns, entry);
        Some(self.known.source_of_entry(netns, sight, policy, left_s))
    }

    /// What the tracker sees of an entry that was just read, and the policy that governs it.
    pub fn sight_of(&mut self, netns: u32, entry: &Entry<'_>) -> (Sight, PolicyOf) {
        let told = self.told_of(netns, entry);
        let policy = self.policy_of(told);
        let flags = told.map_or(0, |told| told.flags);
        let sight = Sight {
            protonum: entry.orig.protonum,
            state: entry.protoinfo.as_ref().and_then(ProtoInfo::state).unwrap_or(0),
            status: entry.status.unwrap_or(0),
            tcp: TcpSigns {
                unacknowledged: entry.orig.protonum == TCP && flags & DumpFlags::UNACKNOWLEDGED != 0,
                retransmitted: flags & DumpFlags::RETRANSMITTED != 0,
                zero_window: flags & DumpFlags::ZERO_WINDOW != 0,
                reset: false,
            },
        };
        (sight, policy)
    }

    /// The names of the policy that governs an entry that was just read: see [`crate::timeouts::Setter::Policy`].
    pub fn policy_names(&mut self, netns: u32, entry: &Entry<'_>) -> Option<&[String]> {
        let told = self.told_of(netns, entry);
        self.known.names(self.policy_of(told))
    }

    fn told_of(&mut self, netns: u32, entry: &Entry<'_>) -> Option<DumpRecord> {
        self.drain();
        let key = Key {
            netns,
            zone: entry.zone_number(),
            orig: entry.orig.to_words(),
        };
        self.told.remove(&key)
    }

    fn policy_of(&self, told: Option<DumpRecord>) -> PolicyOf {
        match told {
            Some(told) if told.policy != 0 => match self.policies.get(&told.policy) {
                Some(number) => PolicyOf::numbered(*number),
                None => PolicyOf::LOST,
            },
            _ => PolicyOf::NONE,
        }
    }

    /// How many records were lost: as many entries may have been told of wrongly.
    pub fn lost(&self) -> u64 {
        self.session.ring.lost().total() + self.session.skips().counted
    }
}
