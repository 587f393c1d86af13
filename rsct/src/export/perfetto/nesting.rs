//! Lanes of a track: Perfetto closes slices of a track in the reverse order of their begins, so slices that overlap
//! without being nested would get wrong ends. They are put into another lane.

/// Slices of a track beyond this number of lanes are shown as instants.
const MOST_LANES: usize = 8;

/// The lanes of a track.
#[derive(Clone, Debug, Default)]
pub(super) struct Lanes(Vec<Lane>);

/// One lane.
#[derive(Clone, Debug, Default)]
struct Lane {
    /// The begin of the last slice.
    last_begin_ns: u64,
    /// The ends of the slices that contain it, the outermost first.
    open: Vec<u64>,
}

impl Lanes {
    /// The first lane in which a slice nests; none if there is no such lane.
    pub(super) fn place(&mut self, begin_ns: u64, end_ns: u64) -> Option<usize> {
        let fits = |lane: &mut Lane| lane.fits(begin_ns, end_ns);
        if let Some(index) = self.0.iter_mut().position(fits) {
            return Some(index);
        }
        if self.0.len() == MOST_LANES {
            return None;
        }
        self.0.push(Lane {
            last_begin_ns: begin_ns,
            open: vec![end_ns],
        });
        Some(self.0.len() - 1)
    }
}

impl Lane {
    /// Adds the slice if it nests.
    fn fits(&mut self, begin_ns: u64, end_ns: u64) -> bool {
        if begin_ns < self.last_begin_ns {
            return false;
        }
        while self.open.pop_if(|end| *end <= begin_ns).is_some() {}
        self.last_begin_ns = begin_ns;
        let is_inside = self.open.last().is_none_or(|end| end_ns <= *end);
        if is_inside {
            self.open.push(end_ns);
        }
        is_inside
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn nested_slices_share_a_lane_and_others_do_not() {
        let mut lanes = Lanes::default();
        for (begin, end, lane) in [
            (10, 50, 0),
            (20, 30, 0),
            (30, 50, 0),
            // Ends after the slice that contains its begin.
            (40, 60, 1),
            (50, 55, 0),
            (55, 70, 0),
            // Arrived late.
            (54, 58, 1),
            (5, 6, 2),
        ] {
            assert_eq!(lanes.place(begin, end), Some(lane), "{begin} to {end}");
        }
    }

    proptest! {
        #[test]
        fn no_lane_has_an_overlap(slices in proptest::collection::vec((0_u64..50, 1_u64..20), 0..60)) {
            let mut lanes = Lanes::default();
            let mut placed: Vec<(usize, u64, u64)> = Vec::new();
            for (begin, length) in slices {
                let end = begin + length;
                let Some(lane) = lanes.place(begin, end) else { continue };
                prop_assert!(lane < MOST_LANES);
                for (_, from, to) in placed.iter().filter(|(other, ..)| *other == lane) {
                    let apart = end <= *from || *to <= begin;
                    let nests = (*from <= begin && end <= *to) || (begin <= *from && *to <= end);
                    prop_assert!(apart || nests, "{begin} to {end} and {from} to {to} in lane {lane}");
                }
                placed.push((lane, begin, end));
            }
        }
    }
}
