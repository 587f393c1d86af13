//! An entry before or after a packet or an operation.

use rsct_common::record::PacketRecord;

use super::written::Key;
use crate::{
    kernel::hz::Hz,
    names::{self, status},
    render::{
        bytes,
        members::{literal, word},
    },
};

/// An entry at one moment.
#[derive(Clone, Copy)]
pub(super) struct Snapshot {
    pub(super) status: u32,
    pub(super) state: u8,
    pub(super) timeout: u32,
    pub(super) now: u32,
}

impl Snapshot {
    /// The entry before a packet.
    #[inline(always)]
    pub(super) fn before(record: &PacketRecord) -> Self {
        Self {
            status: record.status_before,
            state: record.state_before,
            timeout: record.timeout_before_jiffies,
            now: record.now_jiffies,
        }
    }

    /// The entry after a packet.
    #[inline(always)]
    pub(super) fn after(record: &PacketRecord) -> Self {
        Self {
            status: record.status_after,
            state: record.state_after,
            timeout: record.timeout_after_jiffies,
            now: record.now_jiffies,
        }
    }

    pub(super) fn write<const N: usize>(
        &self,
        out: &mut Vec<u8>,
        key: &'static [u8; N],
        ticks: Hz,
        protonum: u8,
    ) {
        self.write_state(out, key, protonum);
        bytes::number(out, self.left_ms(ticks));
        out.push(b'}');
    }

    /// All values that [`Self::write_state`] writes.
    #[inline(always)]
    pub(super) fn key(&self, protonum: u8) -> Key<1> {
        let state = u16::from_le_bytes([self.state, protonum]);
        Key([u64::from(self.status) | u64::from(state) << 32])
    }

    /// Up to the timeout, which no two packets need have in common.
    pub(super) fn write_state<const N: usize>(&self, out: &mut Vec<u8>, key: &'static [u8; N], protonum: u8) {
        literal(out, key);
        literal(out, b"\"status\":");
        status_list(out, self.status);
        state_name(out, protonum, self.state);
        literal(out, b",\"timeout_ms\":");
    }

    /// Milliseconds left of the timeout.
    pub(super) fn left_ms(&self, ticks: Hz) -> i64 {
        ticks.left_ms(self.status, self.timeout, self.now)
    }

    /// The value that [`Self::left_ms`] is computed from, for one status.
    #[inline(always)]
    pub(super) fn left(&self) -> u64 {
        let confirmed = self.status & status::CONFIRMED != 0;
        self.timeout
            .wrapping_sub(if confirmed { self.now } else { 0 })
            .into()
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
