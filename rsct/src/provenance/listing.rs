//! Sources of the timeouts of dumped entries. A probe on `ctnetlink_fill_info` records what the message omits, at the
//! moment at which the kernel writes it, so record and message agree.

use std::{collections::HashMap, io, thread};

use rsct_common::record::{DumpFlags, DumpRecord, PolicyEvent, PolicyRecord};

use crate::{
    flow::{PolicyOf, TupleKey},
    kernel::{
        btf::{BtfError, KernelTypes},
        clock,
        hz::{Hz, HzError},
        netns::Selector,
    },
    names::proto::TCP,
    netlink::{
        Socket,
        conntrack::{Entry, ProtoInfo},
        stats,
    },
    observe::Fact,
    probe::{
        hooks::DUMP_HOOKS,
        layout::{Layout, LayoutError},
        object::TRACE,
        proof::Unproven,
        scope::Scope,
        session::{Form, Options, Session, SessionError},
    },
    records::Record,
    timeouts::{Sight, TcpSigns, TimeoutSource},
    waiting::block_on,
};

use super::{KnownTimeouts, namespace::find_out};

/// Capacity for the records between two drains, at the pace of a dump.
const RING_BYTES: u32 = 1 << 22;
/// A full ring holds more records than this: the next drain shows that there may be losses.
const MANY_RECORDS: usize = RING_BYTES as usize / 256;
const _: () = assert!(size_of::<PolicyRecord>() < 200 && size_of::<DumpRecord>() < 200);

/// Loads the module of the function to attach to: the kernel loads it at the first ctnetlink request. A failure shows up
/// again in the request for entries.
fn load_ctnetlink() {
    // On a thread of its own, as the caller may run an event loop already.
    let _ = thread::scope(|scope| {
        let request = thread::Builder::new().spawn_scoped(scope, || {
            block_on(async { stats::table(&mut Socket::open()?).await })
        })?;
        Ok::<_, io::Error>(request.join())
    });
}

/// Cause of a failure to attach the probe.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ListingError {
    /// The kernel's types can't be read.
    #[error(transparent)]
    Types(#[from] BtfError),
    /// They lack something that the eBPF program needs.
    #[error(transparent)]
    Layout(#[from] LayoutError),
    /// The length of a jiffy can't be determined.
    #[error(transparent)]
    Hz(#[from] HzError),
    /// The program can't be attached.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// The kernel does not run the program.
    #[error(transparent)]
    Unproven(#[from] Unproven),
}

/// A probe that runs while tables are dumped.
pub(crate) struct Listing {
    session: Session,
    known: KnownTimeouts,
    records: Records,
    /// Numbers of the policies by their addresses.
    policies: HashMap<u64, u32>,
}

/// Records of dumped entries that have not been looked up yet.
#[derive(Default)]
struct Records {
    by_entry: HashMap<TupleKey, DumpRecord>,
    /// Records were lost: an entry without a record may have had one.
    has_losses: bool,
}

/// The record of a dumped entry.
#[derive(Clone, Copy, Debug)]
enum Recorded {
    /// Its record.
    Is(DumpRecord),
    /// None: the probe emits no record for an entry without policy and TCP reductions.
    None,
    /// None was found, and some were lost.
    Lost,
}

impl Listing {
    /// Attaches the probe. The tables may be dumped once this has returned.
    pub(crate) fn start(form: Form) -> Result<Self, ListingError> {
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
            // Without records, no source is known.
            Ok(()) | Err(Unproven::Untested(_)) => {}
        }
        Ok(Self {
            session,
            known: KnownTimeouts::new(hz),
            records: Records::default(),
            policies: HashMap::new(),
        })
    }

    /// Reads the records up to now. A message's records precede the message.
    fn drain(&mut self) {
        let Self {
            session,
            known,
            records,
            policies,
        } = self;
        let most = session.ring.capacity();
        let drained = session.ring.drain(most, |record| match record {
            Record::Policy(record) if record.what == PolicyEvent::Governs as u8 => {
                policies.insert(record.policy, known.policy(record, clock::monotonic_ns()));
                find(known);
            }
            Record::Dump(record) => {
                let key = TupleKey {
                    netns: record.netns,
                    zone: record.zone,
                    orig: record.orig,
                };
                records.by_entry.insert(key, *record);
            }
            _ => {}
        });
        // The counters cost a system call each.
        if drained >= MANY_RECORDS && !self.records.has_losses {
            self.records.has_losses = self.lost() != 0;
        }
    }

    /// The source of the timeout of an entry that was just read; `None` for an entry without one. `netns` is the
    /// namespace's inode number.
    pub(crate) fn source_of(&mut self, netns: u32, entry: &Entry<'_>) -> Option<TimeoutSource<'_>> {
        let left_s = entry.timeout?;
        let (sight, policy) = self.sight_of(netns, entry);
        let now_ns = clock::monotonic_ns();
        let _ = self.known.source_of_entry(netns, sight, policy, left_s, now_ns);
        find(&mut self.known);
        Some(self.known.source_of_entry(netns, sight, policy, left_s, now_ns))
    }

    /// The tracker's view of an entry that was just read, and the policy that governs it.
    fn sight_of(&mut self, netns: u32, entry: &Entry<'_>) -> (Sight, PolicyOf) {
        let recorded = self.recorded(netns, entry);
        let policy = policy_of(recorded, &self.policies);
        let flags = match recorded {
            Recorded::Is(record) => record.flags,
            Recorded::None | Recorded::Lost => 0,
        };
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
    pub(crate) fn policy_names(&mut self, netns: u32, entry: &Entry<'_>) -> Option<&[String]> {
        let recorded = self.recorded(netns, entry);
        self.known.names(policy_of(recorded, &self.policies))
    }

    fn recorded(&mut self, netns: u32, entry: &Entry<'_>) -> Recorded {
        self.drain();
        self.records.take(&TupleKey {
            netns,
            zone: entry.zone_number(),
            orig: entry.orig.to_words(),
        })
    }

    /// Number of lost records: the sources of up to as many timeouts are unknown or wrong.
    pub(crate) fn lost(&self) -> u64 {
        self.session.ring.lost().total() + self.session.skips().counted
    }
}

/// Finds out what the last lookup lacks.
fn find(known: &mut KnownTimeouts) {
    let now_ns = clock::monotonic_ns();
    match known.wanted().map(|want| find_out(want, &Selector::All)) {
        Some(Fact::Defaults { netns, defaults }) => known.set_defaults(netns, defaults.as_ref(), now_ns),
        Some(Fact::Objects { netns, objects }) => known.set_objects(netns, objects.as_deref(), now_ns),
        Some(Fact::Symbols(_) | Fact::Names(_)) | None => {}
    }
}

impl Records {
    fn take(&mut self, key: &TupleKey) -> Recorded {
        match self.by_entry.remove(key) {
            Some(record) => Recorded::Is(record),
            None if self.has_losses => Recorded::Lost,
            None => Recorded::None,
        }
    }
}

fn policy_of(recorded: Recorded, policies: &HashMap<u64, u32>) -> PolicyOf {
    match recorded {
        Recorded::Is(record) if record.policy == 0 => PolicyOf::NONE,
        Recorded::Is(record) => policies
            .get(&record.policy)
            .map_or(PolicyOf::LOST, |number| PolicyOf::numbered(*number)),
        Recorded::None => PolicyOf::NONE,
        Recorded::Lost => PolicyOf::UNKNOWN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::timeouts::Setter;

    const KEY: TupleKey = TupleKey {
        netns: 1,
        zone: 0,
        orig: [1; 5],
    };

    fn policy(record: Option<u64>, has_losses: bool) -> PolicyOf {
        let record = record.map(|policy| DumpRecord {
            policy,
            ..DumpRecord::default()
        });
        let mut records = Records {
            by_entry: record.map(|record| (KEY, record)).into_iter().collect(),
            has_losses,
        };
        policy_of(records.take(&KEY), &HashMap::from([(77, 3)]))
    }

    #[test]
    fn an_entry_without_a_record_has_no_policy_unless_records_were_lost() {
        assert_eq!(policy(None, false), PolicyOf::NONE);
        assert_eq!(policy(None, true), PolicyOf::UNKNOWN);
        for has_losses in [false, true] {
            assert_eq!(policy(Some(0), has_losses), PolicyOf::NONE);
            assert_eq!(policy(Some(77), has_losses), PolicyOf::numbered(3));
            assert_eq!(policy(Some(78), has_losses), PolicyOf::LOST);
        }
        let mut known = KnownTimeouts::new(Hz::new(250).unwrap());
        let source = known.source_of_entry(1, Sight::default(), policy(None, true), 30, 0);
        assert_eq!(source, TimeoutSource::of(Setter::Unknown));
        assert_eq!(known.names(PolicyOf::UNKNOWN), None);
    }
}
