//! The rank test of Mann and Whitney, exact and with ties: whether one group of values tends to be greater than another.

/// The chance that two groups of the same kind differ in their ranks at least as much as these, in either direction.
///
/// Every division of all values into groups of these sizes is as likely as any other if the groups are of the same kind.
/// The sums of ranks of all divisions are counted, so that no distribution is assumed.
pub(super) fn chance(one: &[f64], other: &[f64]) -> f64 {
    let ranks = doubled_ranks(one, other);
    let of_one = |ranks: &[usize]| ranks.iter().take(one.len()).sum::<usize>();
    let sum = of_one(&ranks);
    let total: usize = ranks.iter().sum();
    let ways = ways(&ranks, one.len(), total);
    let all: f64 = ways.iter().sum();
    if all == 0.0 {
        return 1.0;
    }
    // The mean is total * size / count: compared without a division.
    let distance = |sum: usize| (sum * ranks.len()).abs_diff(total * one.len());
    let as_far: f64 = ways
        .iter()
        .enumerate()
        .filter(|(other, _)| distance(*other) >= distance(sum))
        .map(|(_, ways)| ways)
        .sum();
    as_far / all
}

/// Twice the rank of each value among all: equal values share the mean of their ranks.
fn doubled_ranks(one: &[f64], other: &[f64]) -> Vec<usize> {
    let all: Vec<f64> = one.iter().chain(other).copied().collect();
    let rank = |value: &f64| {
        let below = all.iter().filter(|other| *other < value).count();
        let equal = all.iter().filter(|other| *other == value).count();
        2 * below + equal + 1
    };
    all.iter().map(rank).collect()
}

/// For each sum, the number of ways to choose `size` of the ranks with that sum.
fn ways(ranks: &[usize], size: usize, total: usize) -> Vec<f64> {
    let mut ways = vec![vec![0.0; total + 1]; size + 1];
    if let Some(none) = ways.first_mut().and_then(|row| row.first_mut()) {
        *none = 1.0;
    }
    for rank in ranks {
        for chosen in (1..=size).rev() {
            let (fewer, with) = ways.split_at_mut(chosen);
            let (Some(fewer), Some(with)) = (fewer.last(), with.first_mut()) else {
                continue;
            };
            for (ways, before) in with.iter_mut().skip(*rank).zip(fewer) {
                *ways += before;
            }
        }
    }
    ways.pop().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chances_are_those_of_the_tables() {
        // 5 and 5 values without overlap: 2 of the 252 divisions are as far apart.
        let low = [1.0, 2.0, 3.0, 4.0, 5.0];
        let high = [6.0, 7.0, 8.0, 9.0, 10.0];
        assert!((chance(&low, &high) - 2.0 / 252.0).abs() < 1e-12);
        assert!((chance(&high, &low) - 2.0 / 252.0).abs() < 1e-12);
        // U = 2 of 4 and 5: 0.0635 two-sided in the published tables.
        let chance_of_2 = chance(&[1.0, 2.0, 3.0, 6.0], &[4.0, 5.0, 7.0, 8.0, 9.0]);
        assert!((chance_of_2 - 8.0 / 126.0).abs() < 1e-12, "{chance_of_2}");
    }

    #[test]
    fn equal_values_are_no_difference() {
        assert!((chance(&[3.0; 12], &[3.0; 9]) - 1.0).abs() < 1e-12);
        assert!((chance(&[], &[1.0]) - 1.0).abs() < 1e-12);
        assert!((chance(&[], &[]) - 1.0).abs() < 1e-12);
    }
}
