//! Buckets with a width of a sixteenth of their octave: a value is known with an error of at most 3.1 %.

/// Parts of an octave.
pub const PARTS: u64 = 1 << PARTS_SHIFT;
const PARTS_SHIFT: u32 = 4;
/// Values from 2^40 on (18 minutes, in nanoseconds) share the last bucket.
const OCTAVES: u32 = 40;

/// The number of buckets.
pub const BUCKETS: usize = ((OCTAVES - PARTS_SHIFT + 1) << PARTS_SHIFT) as usize;

/// Returns the bucket of a value, below [`BUCKETS`].
///
/// eBPF has no instruction that finds the highest bit: a few comparisons do. Values beyond the last bucket are
/// reduced first, so that the verifier walks no path to an index beyond it.
#[inline(always)]
pub fn bucket_of(value: u64) -> usize {
    let value = if value < 1 << OCTAVES {
        value
    } else {
        (1 << OCTAVES) - 1
    };
    let mut rest = value >> PARTS_SHIFT;
    let mut shift = 0;
    // Most durations are below a millisecond.
    if rest >= 1 << 16 {
        rest >>= 16;
        shift = 16;
        if rest >= 1 << 16 {
            rest >>= 16;
            shift = 32;
        }
    }
    if rest >= 1 << 8 {
        rest >>= 8;
        shift += 8;
    }
    if rest >= 1 << 4 {
        rest >>= 4;
        shift += 4;
    }
    // Without branches, of which each doubles the paths that the verifier walks: 1 if `rest` has the bit or a higher one.
    let has = |rest: u64, bit: u32| 0u64.wrapping_sub(rest >> bit) >> 63;
    let two = has(rest, 2) << 1;
    rest >>= two;
    shift += two + has(rest, 1);
    ((shift << PARTS_SHIFT) + (value >> shift)) as usize
}

/// Returns the least value of a bucket, and the least value beyond it.
pub const fn bounds(bucket: usize) -> (u64, u64) {
    let bucket = bucket as u64;
    if bucket < 2 * PARTS {
        return (bucket, bucket + 1);
    }
    let shift = (bucket >> PARTS_SHIFT) - 1;
    let least = (bucket - (shift << PARTS_SHIFT)) << shift;
    (least, least + (1 << shift))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_follow_one_another() {
        assert_eq!(bounds(0), (0, 1));
        for bucket in 0..BUCKETS {
            let (least, beyond) = bounds(bucket);
            assert_eq!(bucket_of(least), bucket, "the least of {bucket}");
            assert_eq!(bucket_of(beyond - 1), bucket, "the most of {bucket}");
            if bucket + 1 < BUCKETS {
                assert_eq!(bounds(bucket + 1).0, beyond, "behind {bucket}");
            }
            assert!(
                beyond - least <= 1 || (beyond - least) * PARTS <= least,
                "{bucket} is too wide"
            );
        }
    }

    #[test]
    fn values_beyond_the_last_bucket_are_in_it() {
        for value in [1 << 40, 1 << 41, 1 << 52, 1 << 60, u64::MAX] {
            assert_eq!(bucket_of(value), BUCKETS - 1, "{value}");
        }
        assert_eq!(bounds(BUCKETS - 1).1, 1 << 40);
    }
}
