//! Tests whether a flow passes the filter.

use rsct_common::{TupleWords, filter::test};

use crate::{
    globals::*,
    kernel::{Memory, nf_conn::NfConn, tuple},
};

/// Two addresses and two ports, as the words of a tuple hold them.
struct Ends {
    src: [u64; 2],
    dst: [u64; 2],
    sport: u32,
    dport: u32,
}

impl Ends {
    #[inline(always)]
    fn of(words: &TupleWords) -> Self {
        Self {
            src: [words[0], words[1]],
            dst: [words[2] >> 32 | words[3] << 32, words[3] >> 32 | words[4] << 32],
            sport: words[2] as u16 as u32,
            dport: (words[4] >> 32) as u16 as u32,
        }
    }
}

macro_rules! in_network {
    ($address:expr, $low:ident $high:ident $low_mask:ident $high_mask:ident) => {
        $address[0] & $low_mask.load() == $low.load() && $address[1] & $high_mask.load() == $high.load()
    };
}

/// True if the filter has any test.
#[inline(always)]
pub fn has_tests() -> bool {
    FILTER_TESTS.load() != 0
}

/// True if the filter is limited to one namespace.
#[inline(always)]
pub fn narrows_netns() -> bool {
    NETNS.load() != 0
}

/// True if a matching entry can stop matching at any moment: any rule can set its mark.
#[inline(always)]
pub fn may_change() -> bool {
    FILTER_TESTS.load() & test::MARK != 0
}

/// True if the namespace is in scope.
#[inline(always)]
pub fn wants_netns(inum: u32) -> bool {
    let wanted = NETNS.load();
    wanted == 0 || wanted == inum
}

/// True if a flow passes all tests. Only tests that need `reply` or `entry` read them; a packet without an entry has
/// neither, and fails those.
#[inline(always)]
pub fn wants<M: Memory>(orig: &TupleWords, entry: Option<NfConn<M>>) -> bool {
    let tests = FILTER_TESTS.load();
    if tests == 0 {
        return true;
    }
    if tests & test::PROTO != 0 && tuple::protonum(orig) as u32 != FILTER_PROTO.load() {
        return false;
    }
    if tests & test::FAMILY != 0 && (orig[2] >> 16) as u16 as u32 != FILTER_FAMILY.load() {
        return false;
    }
    let ends = Ends::of(orig);
    if tests & test::SPORT != 0 && ends.sport != FILTER_SPORT.load() {
        return false;
    }
    if tests & test::DPORT != 0 && ends.dport != FILTER_DPORT.load() {
        return false;
    }
    if tests & test::SRC != 0
        && !(in_network!(ends.src, FILTER_SRC_LOW FILTER_SRC_HIGH FILTER_SRC_LOW_MASK FILTER_SRC_HIGH_MASK))
    {
        return false;
    }
    if tests & test::DST != 0
        && !(in_network!(ends.dst, FILTER_DST_LOW FILTER_DST_HIGH FILTER_DST_LOW_MASK FILTER_DST_HIGH_MASK))
    {
        return false;
    }
    if tests & test::ZONE != 0 && entry.map_or(0, NfConn::zone) as u32 != FILTER_ZONE.load() {
        return false;
    }
    if tests & test::MARK != 0
        && entry.map_or(0, NfConn::mark) & FILTER_MARK_MASK.load() != FILTER_MARK.load()
    {
        return false;
    }
    if tests & (test::HOST | test::PORT | test::REPLY_SRC | test::REPLY_DST) == 0 {
        return true;
    }
    let reply = entry.map(|entry| Ends::of(&entry.tuple(1)));
    wants_either(tests, &ends, reply.as_ref())
}

/// The tests that look at both directions.
#[inline(always)]
fn wants_either(tests: u32, orig: &Ends, reply: Option<&Ends>) -> bool {
    if tests & test::REPLY_SRC != 0 {
        let Some(reply) = reply else { return false };
        if !(in_network!(reply.src, FILTER_REPLY_SRC_LOW FILTER_REPLY_SRC_HIGH FILTER_REPLY_SRC_LOW_MASK FILTER_REPLY_SRC_HIGH_MASK))
        {
            return false;
        }
    }
    if tests & test::REPLY_DST != 0 {
        let Some(reply) = reply else { return false };
        if !(in_network!(reply.dst, FILTER_REPLY_DST_LOW FILTER_REPLY_DST_HIGH FILTER_REPLY_DST_LOW_MASK FILTER_REPLY_DST_HIGH_MASK))
        {
            return false;
        }
    }
    if tests & test::PORT != 0 && !has_port(orig) && !reply.is_some_and(has_port) {
        return false;
    }
    tests & test::HOST == 0 || has_host(orig) || reply.is_some_and(has_host)
}

#[inline(always)]
fn has_port(ends: &Ends) -> bool {
    ends.sport == FILTER_PORT.load() || ends.dport == FILTER_PORT.load()
}

#[inline(always)]
fn has_host(ends: &Ends) -> bool {
    in_network!(ends.src, FILTER_HOST_LOW FILTER_HOST_HIGH FILTER_HOST_LOW_MASK FILTER_HOST_HIGH_MASK)
        || in_network!(ends.dst, FILTER_HOST_LOW FILTER_HOST_HIGH FILTER_HOST_LOW_MASK FILTER_HOST_HIGH_MASK)
}
