//! The fields in which packets with like lines are equal, compared as words of the record: field by field it takes twice
//! the instructions.

use rsct_common::record::{PacketFlags, PacketRecord};

/// A record's words.
type Words = [u64; size_of::<PacketRecord>() / 8];

/// The words of a record with fields that count: not those of its time, its entry's address and birth, its duration and
/// length, its timeouts, and its TCP numbers.
const WITH_COUNTED: [usize; 13] = [0, 5, 6, 8, 9, 11, 12, 13, 14, 15, 16, 17, 18];

/// A packet's record, and the bits of it that count. None count by default.
#[derive(Debug, Default)]
pub(super) struct Likeness {
    record: [u64; WITH_COUNTED.len()],
    counted: [u64; WITH_COUNTED.len()],
}

impl Likeness {
    pub(super) fn of(record: &PacketRecord) -> Self {
        let counted = counted(record.flags);
        Self {
            record: words(record),
            counted: words(&counted),
        }
    }

    /// Returns whether a record has the same values in all fields that count.
    #[inline(always)]
    pub(super) fn has(&self, record: &PacketRecord) -> bool {
        let mut differing = 0;
        for ((word, own), counted) in words(record).iter().zip(&self.record).zip(&self.counted) {
            differing |= (word ^ own) & counted;
        }
        differing == 0
    }
}

#[inline(always)]
fn words(record: &PacketRecord) -> [u64; WITH_COUNTED.len()] {
    let words: &Words = zerocopy::transmute_ref!(record);
    WITH_COUNTED.map(|index| words[index])
}

/// A record with all bits set in the fields that lines of packets with these flags are made from, except for differing
/// numbers. A field without its flag holds the value of an earlier packet.
fn counted(flags: u16) -> PacketRecord {
    let has = |flag| flags & flag != 0;
    let mut counted = PacketRecord {
        hook: u8::MAX,
        verdict: u8::MAX,
        ctinfo: u8::MAX,
        cpu: u16::MAX,
        flags: u16::MAX,
        netns: u32::MAX,
        ifindex: u32::MAX,
        zone: u16::MAX,
        tuple: [u64::MAX; 5],
        ..PacketRecord::default()
    };
    if has(PacketFlags::BEFORE) {
        counted.status_before = u32::MAX;
        counted.state_before = u8::MAX;
    }
    if has(PacketFlags::AFTER) {
        counted.status_after = u32::MAX;
        counted.state_after = u8::MAX;
    }
    if has(PacketFlags::MARK) {
        counted.mark = u32::MAX;
    }
    if has(PacketFlags::REFRESHED) {
        counted.refresh_jiffies = u32::MAX;
    }
    if has(PacketFlags::TASK) {
        counted.pid = u32::MAX;
        counted.comm = [u8::MAX; 16];
    }
    counted
}

#[cfg(test)]
mod tests {
    use zerocopy::{FromBytes as _, IntoBytes as _};

    use super::*;

    #[test]
    fn each_counted_field_matters() {
        let record = PacketRecord {
            flags: PacketFlags::BEFORE
                | PacketFlags::AFTER
                | PacketFlags::TASK
                | PacketFlags::MARK
                | PacketFlags::REFRESHED,
            ..PacketRecord::default()
        };
        let like = Likeness::of(&record);
        assert!(like.has(&record));
        let counted = counted(record.flags);
        let words: Words = zerocopy::transmute!(counted);
        let with_counted = (0..words.len()).filter(|index| words[*index] != 0);
        assert_eq!(with_counted.collect::<Vec<_>>(), WITH_COUNTED);
        for (at, bits) in counted.as_bytes().iter().enumerate() {
            let mut bytes = record.as_bytes().to_vec();
            bytes[at] ^= 0x10;
            let other = PacketRecord::read_from_bytes(&bytes).unwrap();
            assert_eq!(like.has(&other), *bits == 0, "byte {at}");
        }
    }
}
