//! The trace for programs: one JSON object a line, described in docs/json.md.
//!
//! Written without the structs of `schema::trace`, as every field is written for every packet (`cargo xtask bench packet`
//! measures a line's cost); a test proves that both are the same.

use std::io::Write as _;

use rsct_common::{
    Tuple, TupleWords,
    record::{EntryFlags, EntryKind, EntryRecord, PacketFlags, PacketRecord},
};

use crate::timeouts::{Setter, State, TimeoutSource};
use crate::{
    flow::{Flow, delete_kind::DeleteKind, icmp, outcome::Outcome},
    kernel::hz::Hz,
    names::{self, proto, status},
    observe::{Observation, Reason},
};

use super::{bytes, json, timeout_source, trace_why};

/// Writes lines, and remembers what the last ones had in common: packets come in runs.
#[derive(Debug)]
pub struct TraceJson {
    ticks: Hz,
    /// For each hook the last packet's members that are the next one's as well: a packet that passes
    /// several hooks has a line for each.
    common: Box<[Written<Key<COMMON_WORDS>>; HOOKS]>,
    /// Two snapshots up to their timeouts, and how they were written.
    before: Written<Key<1>>,
    after: Written<Key<1>>,
    /// Where a timeout comes from, and how it was written.
    source: Written<Key<4>>,
    /// A process, and how it was written.
    task: Written<Key<3>>,
}

/// More than there are hooks, and a power of two: the index takes no check.
const HOOKS: usize = 8;
/// See [`common_key`].
const COMMON_WORDS: usize = 10;

/// What a text was written from, compared word by word: what the compiler would call instead looks at
/// every byte.
#[derive(Clone, Copy, Debug)]
struct Key<const N: usize>([u64; N]);

impl<const N: usize> PartialEq for Key<N> {
    #[inline(always)]
    fn eq(&self, other: &Self) -> bool {
        self.0
            .iter()
            .zip(&other.0)
            .fold(0, |differing, (a, b)| differing | (a ^ b))
            == 0
    }
}

/// Something that was written before.
#[derive(Debug)]
struct Written<K> {
    of: Option<K>,
    text: Vec<u8>,
}

impl<K> Default for Written<K> {
    fn default() -> Self {
        Self {
            of: None,
            text: Vec::new(),
        }
    }
}

impl<K: PartialEq> Written<K> {
    /// Writes what belongs to `key`, anew only where it is not what was written last.
    #[inline(always)]
    fn again(&mut self, out: &mut Vec<u8>, key: K, write: impl FnOnce(&mut Vec<u8>)) {
        if self.of.as_ref() != Some(&key) {
            self.text.clear();
            write(&mut self.text);
            self.of = Some(key);
        }
        out.extend_from_slice(&self.text);
    }
}

impl TraceJson {
    /// For a kernel with `ticks` jiffies a second.
    pub fn new(ticks: Hz) -> Self {
        Self {
            ticks,
            common: Default::default(),
            before: Written::default(),
            after: Written::default(),
            source: Written::default(),
            task: Written::default(),
        }
    }

    /// Appends one line.
    pub fn line(&mut self, out: &mut Vec<u8>, observation: Observation<'_>) {
        // Once, so that no field has to.
        out.reserve(LINE_BYTES);
        match observation {
            Observation::Packet(record, flow, source, why) => {
                self.packet(out, record, flow, source.as_ref());
                if matches!(why, Reason::NotYet) {
                    out.extend_from_slice(b",\"why_pending\":true");
                }
                trace_why::member(out, why.known());
            }
            Observation::Entry(record, flow, why) => {
                entry(out, self.ticks, record, flow);
                trace_why::member(out, why);
            }
            Observation::Cause(why) => return trace_why::line(out, why),
        }
        literal(out, b"}\n");
    }

    fn packet(
        &mut self,
        out: &mut Vec<u8>,
        record: &PacketRecord,
        flow: Option<&Flow>,
        source: Option<&TimeoutSource<'_>>,
    ) {
        let has = |flag| record.flags & flag != 0;
        number(out, b"{\"type\":\"packet\",\"time_ns\":", record.time_ns);
        let flow_number = flow.map_or(0, |flow| flow.number);
        self.common[usize::from(record.hook) % HOOKS].again(out, common_key(record, flow_number), |out| {
            common(out, record, flow_number);
        });
        if has(PacketFlags::DURATION) {
            number(out, b",\"duration_ns\":", record.duration_ns);
        }
        number(out, b",\"len_bytes\":", record.len_bytes);
        self.snapshots(out, record);
        if has(PacketFlags::REFRESHED) {
            number(
                out,
                b",\"refresh_ms\":",
                self.ticks.span_ms(record.refresh_jiffies),
            );
        }
        if let Some(source) = source {
            self.source.again(out, source_key(source), |out| {
                out.push(b',');
                timeout_source::json(out, source);
            });
        }
        if record.has_tcp() {
            number(out, b",\"tcp_header\":{\"tcp_flags\":", record.tcp_flags);
            number(out, b",\"seq\":", record.tcp_seq);
            number(out, b",\"ack\":", record.tcp_ack);
            number(out, b",\"window\":", record.tcp_window);
            out.push(b'}');
        }
        if let Some(error) = icmp::Error::of(record) {
            icmp_error(out, &error);
        }
        if has(PacketFlags::TASK) {
            let key = task_key(record.pid, record.comm);
            self.task
                .again(out, key, |out| task(out, record.pid, &record.comm));
        }
    }

    /// The entry before and after the packet.
    fn snapshots(&mut self, out: &mut Vec<u8>, record: &PacketRecord) {
        let protonum = Tuple::from_words(record.tuple).protonum;
        if record.flags & PacketFlags::BEFORE != 0 {
            let before = Snapshot {
                status: record.status_before,
                state: record.state_before,
                timeout: record.timeout_before_jiffies,
            };
            self.before.again(out, before.key(protonum), |out| {
                before.write_state(out, b",\"before\":{", protonum);
            });
            before.write_timeout(out, self.ticks, record.now_jiffies);
        }
        if record.flags & PacketFlags::AFTER != 0 {
            let after = Snapshot {
                status: record.status_after,
                state: record.state_after,
                timeout: record.timeout_after_jiffies,
            };
            self.after.again(out, after.key(protonum), |out| {
                after.write_state(out, b",\"after\":{", protonum);
            });
            after.write_timeout(out, self.ticks, record.now_jiffies);
        }
    }
}

/// Everything that [`common`] looks at.
#[inline(always)]
fn common_key(record: &PacketRecord, flow_number: u64) -> Key<COMMON_WORDS> {
    let words = |low: u32, high: u32| u64::from(low) | u64::from(high) << 32;
    let bytes = u32::from_le_bytes([record.hook, record.verdict, record.ctinfo, 0]);
    let [a, b, c, d, e] = record.tuple;
    Key([
        words(bytes, u32::from(record.cpu) | u32::from(record.flags) << 16),
        words(record.netns, record.ifindex),
        words(record.mark, u32::from(record.zone)),
        u64::from(record.status_after),
        flow_number,
        a,
        b,
        c,
        d,
        e,
    ])
}

/// The members from the CPU to the verdict on the packet.
fn common(out: &mut Vec<u8>, record: &PacketRecord, flow_number: u64) {
    let has = |flag| record.flags & flag != 0;
    number(out, b",\"cpu\":", record.cpu);
    out.extend_from_slice(hook_member(record.hook));
    number(out, b",\"netns\":", record.netns);
    number(out, b",\"ifindex\":", record.ifindex);
    if flow_number != 0 {
        number(out, b",\"flow\":", flow_number);
    }
    tuple(out, b",\"orig\":{", record.tuple);
    if record.zone != 0 {
        number(out, b",\"zone\":", record.zone);
    }
    if has(PacketFlags::MARK) && record.mark != 0 {
        number(out, b",\"mark\":", record.mark);
    }
    word(out, b",\"outcome\":\"", Outcome::of(record).name());
    number(out, b",\"verdict\":", record.verdict);
    if has(PacketFlags::AFTER) || has(PacketFlags::UNTRACKED) || has(PacketFlags::SEEN_ALREADY) {
        out.extend_from_slice(ctinfo_members(record.ctinfo));
    }
}

/// Everything that [`timeout_source::json`] looks at: what is never freed while a trace lasts, by its address.
#[inline(always)]
fn source_key(source: &TimeoutSource<'_>) -> Key<4> {
    let setter = match source.setter {
        Setter::Defaults => 0,
        Setter::LostPolicy => 1,
        Setter::Policy([]) => 2,
        Setter::Fixed => 3,
        Setter::Netlink => 4,
        Setter::Unknown => 5,
        Setter::Policy(names) | Setter::Nftables(names) => names.as_ptr() as u64,
    };
    let (state, reduction) = source.governing.map_or((0, 0), |governing| {
        let state: *const State = governing.state;
        let reduction = governing.reduction.map_or(0, |reduction| reduction as u64 + 1);
        (state as u64, reduction)
    });
    Key([setter, state, reduction, source.value_ms.unwrap_or(u64::MAX)])
}

/// Everything that [`task`] looks at.
#[inline(always)]
fn task_key(pid: u32, comm: [u8; 16]) -> Key<3> {
    let comm = u128::from_ne_bytes(comm);
    Key([u64::from(pid), comm as u64, (comm >> 64) as u64])
}

/// A packet's hook, as a member in one piece.
fn hook_member(hook: u8) -> &'static [u8] {
    match hook {
        0 => b",\"hook\":\"PRE_ROUTING\"",
        1 => b",\"hook\":\"LOCAL_IN\"",
        2 => b",\"hook\":\"FORWARD\"",
        3 => b",\"hook\":\"LOCAL_OUT\"",
        4 => b",\"hook\":\"POST_ROUTING\"",
        _ => b",\"hook\":\"UNKNOWN\"",
    }
}

/// A packet's ctinfo and direction, as two members in one piece.
fn ctinfo_members(ctinfo: u8) -> &'static [u8] {
    match ctinfo {
        0 => b",\"ctinfo\":\"ESTABLISHED\",\"dir\":\"orig\"",
        1 => b",\"ctinfo\":\"RELATED\",\"dir\":\"orig\"",
        2 => b",\"ctinfo\":\"NEW\",\"dir\":\"orig\"",
        3 => b",\"ctinfo\":\"ESTABLISHED\",\"dir\":\"reply\"",
        4 => b",\"ctinfo\":\"RELATED\",\"dir\":\"reply\"",
        5 => b",\"ctinfo\":\"NEW\",\"dir\":\"reply\"",
        7 => b",\"ctinfo\":\"UNTRACKED\"",
        _ => b",\"ctinfo\":\"UNKNOWN\"",
    }
}

/// Room for any line but those with the longest names.
const LINE_BYTES: usize = 1024;

fn entry(out: &mut Vec<u8>, ticks: Hz, record: &EntryRecord, flow: Option<&Flow>) {
    let has = |flag| record.flags & flag != 0;
    let kind = EntryKind::from_byte(record.what);
    out.extend_from_slice(b"{\"type\":\"entry\"");
    word(out, b",\"event\":\"", event(kind));
    number(out, b",\"time_ns\":", record.time_ns);
    number(out, b",\"cpu\":", record.cpu);
    number(out, b",\"netns\":", record.netns);
    identity(out, record.ct, record.birth_ns, flow);
    tuple(out, b",\"orig\":{", record.orig);
    tuple(out, b",\"reply\":{", record.reply);
    number(out, b",\"zone\":", record.zone);
    number(out, b",\"mark\":", record.mark);
    let protonum = Tuple::from_words(record.orig).protonum;
    if kind != Some(EntryKind::AllocFailed) {
        let before = Snapshot {
            status: record.status_before,
            state: record.state_before,
            timeout: record.timeout_before_jiffies,
        };
        before.write(out, b",\"before\":{", ticks, protonum, record.now_jiffies);
    }
    if has(EntryFlags::RETURNED) {
        number(out, b",\"returned\":", record.ret);
        if record.status_after != 0 {
            let after = Snapshot {
                status: record.status_after,
                state: record.state_after,
                timeout: record.timeout_after_jiffies,
            };
            after.write(out, b",\"after\":{", ticks, protonum, record.now_jiffies);
        }
    }
    if has(EntryFlags::DURATION) {
        number(out, b",\"duration_ns\":", record.duration_ns);
    }
    match kind {
        Some(EntryKind::Delete) => {
            word(out, b",\"kind\":\"", DeleteKind::of(record).name());
            if record.portid != 0 {
                number(out, b",\"requester\":{\"portid\":", record.portid);
                out.push(b'}');
            }
        }
        Some(EntryKind::Destroy) => {
            number(
                out,
                b",\"lifetime_ns\":",
                record.time_ns.saturating_sub(record.birth_ns),
            );
        }
        Some(EntryKind::Refresh) => number(out, b",\"refresh_ms\":", ticks.span_ms(record.refresh_jiffies)),
        Some(EntryKind::Confirm) if has(EntryFlags::OTHER_ENTRY) => out.extend_from_slice(b",\"clash\":true"),
        _ => {}
    }
    if has(EntryFlags::TASK) {
        task(out, record.pid, &record.comm);
    }
}

/// The event's name.
pub fn event(kind: Option<EntryKind>) -> &'static str {
    match kind {
        Some(EntryKind::AllocFailed) => "alloc_failed",
        Some(EntryKind::Insert) => "insert",
        Some(EntryKind::Confirm) => "confirm",
        Some(EntryKind::CheckInsert) => "check_insert",
        Some(EntryKind::Refresh) => "refresh",
        Some(EntryKind::Delete) => "delete",
        Some(EntryKind::Destroy) => "destroy",
        Some(EntryKind::ChangeTimeout) => "change_timeout",
        None => "unknown",
    }
}

/// An entry at one moment.
struct Snapshot {
    status: u32,
    state: u8,
    timeout: u32,
}

impl Snapshot {
    fn write<const N: usize>(
        &self,
        out: &mut Vec<u8>,
        key: &'static [u8; N],
        ticks: Hz,
        protonum: u8,
        now: u32,
    ) {
        self.write_state(out, key, protonum);
        self.write_timeout(out, ticks, now);
    }

    /// Everything that [`Self::write_state`] looks at.
    #[inline(always)]
    fn key(&self, protonum: u8) -> Key<1> {
        let state = u16::from_le_bytes([self.state, protonum]);
        Key([u64::from(self.status) | u64::from(state) << 32])
    }

    /// Up to the timeout, which no two packets need have in common.
    fn write_state<const N: usize>(&self, out: &mut Vec<u8>, key: &'static [u8; N], protonum: u8) {
        literal(out, key);
        literal(out, b"\"status\":");
        status_list(out, self.status);
        state_name(out, protonum, self.state);
        literal(out, b",\"timeout_ms\":");
    }

    /// The timeout, and the end of the object.
    #[inline(always)]
    fn write_timeout(&self, out: &mut Vec<u8>, ticks: Hz, now: u32) {
        bytes::number(out, ticks.left_ms(self.status, self.timeout, now));
        out.push(b'}');
    }
}

fn status_list(out: &mut Vec<u8>, status: u32) {
    out.push(b'[');
    for (index, name) in status::names(status).enumerate() {
        out.extend_from_slice(if index == 0 { b"\"".as_slice() } else { b",\"" });
        out.extend_from_slice(name.as_bytes());
        out.push(b'"');
    }
    out.push(b']');
}

#[inline(always)]
fn state_name(out: &mut Vec<u8>, protonum: u8, state: u8) {
    if let Some(state) = names::state(protonum, state) {
        word(out, b",\"state\":\"", state);
    }
}

/// Which flow it is.
fn identity(out: &mut Vec<u8>, ct: u64, birth_ns: u64, flow: Option<&Flow>) {
    if ct != 0 {
        out.extend_from_slice(b",\"ct\":\"");
        bytes::hex(out, ct);
        number(out, b"\",\"birth_ns\":", birth_ns);
    }
    if let Some(flow) = flow {
        number(out, b",\"flow\":", flow.number);
        word(out, b",\"known_from\":\"", flow.known_from());
    }
}

/// A tuple's object, opened by `key`.
fn tuple<const N: usize>(out: &mut Vec<u8>, key: &'static [u8; N], words: TupleWords) {
    let tuple = Tuple::from_words(words);
    literal(out, key);
    json::protocol(out, tuple.protonum);
    out.extend_from_slice(b",\"src\":\"");
    bytes::address(out, tuple.src_addr());
    out.extend_from_slice(b"\",\"dst\":\"");
    bytes::address(out, tuple.dst_addr());
    out.push(b'"');
    if proto::has_ports(tuple.protonum) {
        number(out, b",\"sport\":", tuple.src_port());
        number(out, b",\"dport\":", tuple.dst_port());
    } else if proto::is_icmp(tuple.protonum) {
        let (kind, code) = tuple.icmp_type_code();
        number(out, b",\"icmp_type\":", kind);
        number(out, b",\"icmp_code\":", code);
        number(out, b",\"icmp_id\":", tuple.src_port());
    } else if tuple.protonum == proto::GRE {
        number(out, b",\"srckey\":", tuple.src_port());
        number(out, b",\"dstkey\":", tuple.dst_port());
    }
    out.push(b'}');
}

/// `,"icmp":{…}`: an ICMP error.
fn icmp_error(out: &mut Vec<u8>, error: &icmp::Error) {
    // Writing to a Vec cannot fail.
    let _ = write!(
        out,
        ",\"icmp\":{{\"icmp_type\":{},\"icmp_code\":{},\"name\":\"{}\",\"sender\":\"",
        error.kind(),
        error.code(),
        error.name()
    );
    bytes::address(out, error.from());
    out.extend_from_slice(b"\"}");
}

fn task(out: &mut Vec<u8>, pid: u32, comm: &[u8; 16]) {
    number(out, b",\"pid\":", pid);
    out.extend_from_slice(b",\"comm\":\"");
    bytes::json_text(out, names::comm(comm));
    out.push(b'"');
}

/// The length is known to the compiler: a few stores.
#[inline(always)]
fn literal<const N: usize>(out: &mut Vec<u8>, text: &'static [u8; N]) {
    out.extend_from_slice(text);
}

/// `key` ends where the number begins.
#[inline(always)]
fn number<const N: usize>(out: &mut Vec<u8>, key: &'static [u8; N], value: impl itoa::Integer) {
    literal(out, key);
    bytes::number(out, value);
}

/// `key` ends with the opening quote; the word needs no escaping.
#[inline(always)]
fn word<const N: usize>(out: &mut Vec<u8>, key: &'static [u8; N], value: &'static str) {
    literal(out, key);
    out.extend_from_slice(value.as_bytes());
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use proptest::prelude::*;
    use serde::{Serialize, de::DeserializeOwned};
    use serde_json::Value;
    use zerocopy::FromBytes as _;

    use super::*;
    use crate::{
        causes::{Why, window::Miss},
        flow::FlowTable,
        schema::{Command, Validator, trace as schema},
        timeouts::{Governing, Protocol, Reduction},
    };

    #[test]
    fn members_in_one_piece_say_what_the_names_say() {
        for hook in 0..=5 {
            let expected = format!(",\"hook\":\"{}\"", names::hook(hook));
            assert_eq!(hook_member(hook), expected.as_bytes());
        }
        for ctinfo in 0..=5 {
            let dir = if names::is_reply(ctinfo) { "reply" } else { "orig" };
            let expected = format!(",\"ctinfo\":\"{}\",\"dir\":\"{dir}\"", names::ctinfo(ctinfo));
            assert_eq!(ctinfo_members(ctinfo), expected.as_bytes());
        }
    }

    /// Fields that differ from record to record in few bits, so that lines have much in common and not all.
    fn record(seed: u64) -> PacketRecord {
        let bit = |at: u32| ((seed >> at) & 1) as u8;
        PacketRecord {
            hook: 3 * bit(0),
            verdict: bit(1),
            ctinfo: 2 * bit(2),
            cpu: bit(3).into(),
            flags: (seed >> 32) as u16,
            netns: bit(4).into(),
            ifindex: bit(5).into(),
            status_before: 8 * u32::from(bit(6)),
            status_after: 8 * u32::from(bit(7)),
            mark: bit(8).into(),
            pid: bit(9).into(),
            state_before: bit(10),
            state_after: bit(11),
            zone: bit(12).into(),
            comm: [b'a' + bit(13); 16],
            tuple: Tuple {
                protonum: if bit(14) == 0 { proto::UDP } else { proto::TCP },
                src: [bit(15); 16],
                ..Tuple::default()
            }
            .to_words(),
            ..PacketRecord::default()
        }
    }

    static TRACE: LazyLock<Validator> = LazyLock::new(|| Validator::of(Command::Trace));

    /// Checks that a line parses into `T`, that `T` writes the same object, and that the schema has it.
    fn is_that_of<T: DeserializeOwned + Serialize>(line: &[u8]) -> Result<(), TestCaseError> {
        let object: Value = serde_json::from_slice(line).unwrap();
        let parsed: T = serde_json::from_slice(line).unwrap();
        prop_assert_eq!(&serde_json::to_value(&parsed).unwrap(), &object);
        prop_assert_eq!(TRACE.validate(&object), Ok(()));
        Ok(())
    }

    /// A tuple of a protocol that conntrack knows, or of any other.
    fn with_protocol(words: TupleWords, known: Option<u8>) -> TupleWords {
        let mut tuple = Tuple::from_words(words);
        tuple.protonum = known.unwrap_or(tuple.protonum);
        tuple.to_words()
    }

    fn protocols() -> impl Strategy<Value = Option<u8>> {
        let known = [1, 6, 17, 33, 47, 58, 132, 136];
        prop::option::of(prop::sample::select(known.to_vec()))
    }

    /// A cause, with and without all that it may have.
    fn cause(has_all: bool, said: String) -> Why {
        let mut why = Why::without_reason(&[0; 5], 7, 8, true);
        if has_all {
            why.said = Some(said.clone());
            why.callers = vec![said];
            why.miss = Some(Miss {
                value: 1,
                bound: 2,
                bytes: u32::MAX,
            });
        }
        why
    }

    const SETTERS: [&str; 2] = ["a\"b", "ü"];

    proptest! {
        #[test]
        fn packets_are_those_of_the_schema(
            bytes in prop::collection::vec(any::<u8>(), size_of::<PacketRecord>()),
            protonum in protocols(),
            has_flow: bool,
            setter in 0..7_usize,
            value_ms: Option<u64>,
            reason in 0..3,
            has_all: bool,
            said: String,
            is_late: bool,
        ) {
            let mut record = PacketRecord::read_from_bytes(&bytes).unwrap();
            record.tuple = with_protocol(record.tuple, protonum);
            let names = SETTERS.map(str::to_owned);
            let setter = [
                Setter::Defaults,
                Setter::LostPolicy,
                Setter::Policy(&[]),
                Setter::Policy(&names[..1]),
                Setter::Nftables(&names),
                Setter::Fixed,
                Setter::Netlink,
            ][setter];
            let protocol = Protocol::of_number(protonum.unwrap_or(0));
            let governing = value_ms.map(|_| Governing {
                state: &protocol.states[0],
                reduction: has_all.then_some(Reduction::Unacknowledged),
            });
            let source = TimeoutSource { setter, governing, value_ms };
            let why = cause(has_all, said);
            let reason = match reason {
                0 => Reason::None,
                1 => Reason::NotYet,
                _ => Reason::Known(&why),
            };
            let mut table = FlowTable::new(250);
            let flow = table.packet(&record).filter(|_| has_flow);
            let mut out = Vec::new();
            let observation = Observation::Packet(&record, flow, has_all.then_some(source), reason);
            TraceJson::new(Hz::new(250).unwrap()).line(&mut out, observation);
            if is_late {
                crate::trace::output::mark_late(&mut out, true);
            }
            is_that_of::<schema::Packet>(&out)?;
        }

        #[test]
        fn entry_events_are_those_of_the_schema(
            bytes in prop::collection::vec(any::<u8>(), size_of::<EntryRecord>()),
            kind in 0..10_u8,
            protonum in protocols(),
            has_flow: bool,
            reason: bool,
            has_all: bool,
            said: String,
        ) {
            let mut record = EntryRecord::read_from_bytes(&bytes).unwrap();
            record.what = kind;
            record.orig = with_protocol(record.orig, protonum);
            record.reply = with_protocol(record.reply, protonum);
            let why = cause(has_all, said);
            let flow = FlowTable::new(250).entry(&record).filter(|_| has_flow);
            let mut out = Vec::new();
            let observation = Observation::Entry(&record, flow.as_ref(), reason.then_some(&why));
            TraceJson::new(Hz::new(250).unwrap()).line(&mut out, observation);
            is_that_of::<schema::EntryEvent>(&out)?;
        }

        #[test]
        fn causes_are_those_of_the_schema(has_all: bool, said: String, words: TupleWords, flags: u16) {
            let mut why = cause(has_all, said);
            why.record.tuple = words;
            why.record.flags = flags;
            let mut out = Vec::new();
            TraceJson::new(Hz::new(250).unwrap()).line(&mut out, Observation::Cause(&why));
            is_that_of::<schema::CauseAlone>(&out)?;
        }
    }

    proptest::proptest! {
        #[test]
        fn what_is_remembered_shows_in_no_line(seeds: Vec<u64>) {
            let line = |json: &mut TraceJson, seed| {
                let mut out = Vec::new();
                json.line(&mut out, Observation::Packet(&record(seed), None, None, Reason::None));
                String::from_utf8(out).expect("lines are UTF-8")
            };
            let mut remembering = TraceJson::new(Hz::new(250).unwrap());
            for seed in seeds {
                // Neighbours that differ in one bit, and in none.
                for seed in (0..16).map(|bit| seed ^ (1 << bit)).chain([seed, seed]) {
                    let fresh = line(&mut TraceJson::new(Hz::new(250).unwrap()), seed);
                    proptest::prop_assert_eq!(line(&mut remembering, seed), fresh);
                }
            }
        }
    }
}
