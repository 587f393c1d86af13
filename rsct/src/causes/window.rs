//! Distance of a TCP segment from its window.

use rsct_common::record::{NUMBERS, window};

use super::invalid::InvalidCause;

/// A segment and the bound that it missed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Miss {
    /// The compared value: a sequence number or an acknowledgement.
    pub value: u32,
    /// The last value that conntrack would have accepted.
    pub bound: u32,
    /// The distance in bytes.
    pub bytes: u32,
}

/// The least distance at which an acknowledgement is too old (`MAXACKWINCONST`,
/// net/netfilter/nf_conntrack_proto_tcp.c).
const MAX_ACK_WINDOW: u32 = 66_000;

impl Miss {
    /// Computes the distance from the bound that `cause` names; none if the numbers do not show it, as with selective
    /// acknowledgements, or numbers that NAT shifted.
    pub(crate) fn of(cause: InvalidCause, numbers: &[u64; NUMBERS]) -> Option<Self> {
        let number = |index: usize| numbers[index] as u32;
        let sender_end = number(window::SENDER_END);
        let sender_max_end = number(window::SENDER_MAXEND);
        let receiver_end = number(window::RECEIVER_END);
        let over = |value: u32, bound: u32| Self {
            value,
            bound,
            bytes: value.wrapping_sub(bound),
        };
        let under = |value: u32, bound: u32| Self {
            value,
            bound,
            bytes: bound.wrapping_sub(value),
        };
        // tcp_in_window() in that file, condition by condition.
        let miss = match cause {
            InvalidCause::SeqOver => over(number(window::SEQ), sender_max_end),
            InvalidCause::Overshot => over(number(window::END), sender_max_end),
            InvalidCause::SeqUnder => under(
                number(window::END),
                sender_end.wrapping_sub(number(window::RECEIVER_MAXWIN)),
            ),
            InvalidCause::AckOver => over(number(window::ACK), receiver_end),
            InvalidCause::AckUnder => under(
                number(window::ACK),
                receiver_end.wrapping_sub(number(window::SENDER_MAXWIN).max(MAX_ACK_WINDOW)),
            ),
            _ => return None,
        };
        (miss.bytes != 0 && miss.bytes < 1 << 31).then_some(miss)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(values: &[(usize, u32)]) -> [u64; NUMBERS] {
        let mut numbers = [0; NUMBERS];
        for (index, value) in values {
            numbers[*index] = u64::from(*value);
        }
        numbers
    }

    #[test]
    fn a_segment_beyond_the_window_misses_by_the_difference() {
        let numbers = numbers(&[(window::SEQ, 5000), (window::SENDER_MAXEND, 2000)]);
        let miss = Miss::of(InvalidCause::SeqOver, &numbers).expect("missed");
        assert_eq!((miss.value, miss.bound, miss.bytes), (5000, 2000, 3000));
    }

    #[test]
    fn numbers_wrap_around() {
        let numbers = numbers(&[(window::ACK, 99), (window::RECEIVER_END, u32::MAX)]);
        assert_eq!(
            Miss::of(InvalidCause::AckOver, &numbers).map(|miss| miss.bytes),
            Some(100)
        );
    }

    #[test]
    fn accepted_values_are_no_miss() {
        let numbers = numbers(&[(window::ACK, 5), (window::RECEIVER_END, 6)]);
        assert_eq!(Miss::of(InvalidCause::AckOver, &numbers), None);
        assert_eq!(Miss::of(InvalidCause::Checksum, &numbers), None);
    }
}
