//! Sums counters, and compares them with an earlier reading.

use super::Cpu;

/// The sum over all CPUs of each counter, in the kernel's order.
pub fn total(cpus: &[Cpu]) -> Vec<(u16, u64)> {
    let mut total: Vec<(u16, u64)> = Vec::new();
    for &(number, value) in cpus.iter().flat_map(|cpu| &cpu.counters) {
        match total.iter_mut().find(|(known, _)| *known == number) {
            Some((_, sum)) => *sum += u64::from(value),
            None => total.push((number, u64::from(value))),
        }
    }
    total
}

/// Differences from here on mean that a counter went back: the namespace was deleted, and a new one has its
/// inode number. No counter grows this much between two readings.
const WENT_BACK: u32 = 1 << 31;

/// Growth of each counter between two readings; `None` if they are not of the same namespace. A counter
/// missing in the earlier one counts from 0.
pub fn since(now: &[Cpu], before: &[Cpu]) -> Option<Vec<Cpu>> {
    let grown: Vec<Cpu> = now
        .iter()
        .map(|now| {
            let before = before.iter().find(|before| before.cpu == now.cpu);
            let earlier = |number| {
                let counters = before.into_iter().flat_map(|cpu| &cpu.counters);
                counters
                    .copied()
                    .find(|(n, _)| *n == number)
                    .map_or(0, |(_, value)| value)
            };
            // The kernel's counters have 32 bits on the wire and wrap around.
            let grown = |&(number, value): &(u16, u32)| (number, value.wrapping_sub(earlier(number)));
            Cpu {
                cpu: now.cpu,
                counters: now.counters.iter().map(grown).collect(),
            }
        })
        .collect();
    let went_back = |cpu: &Cpu| cpu.counters.iter().any(|(_, growth)| *growth >= WENT_BACK);
    (!grown.iter().any(went_back)).then_some(grown)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cpu(cpu: u16, counters: &[(u16, u32)]) -> Cpu {
        Cpu {
            cpu,
            counters: counters.to_vec(),
        }
    }

    #[test]
    fn a_sum_does_not_wrap() {
        let cpus = [cpu(0, &[(4, u32::MAX), (8, 1)]), cpu(1, &[(4, 2), (16, 5)])];
        assert_eq!(total(&cpus), [(4, u64::from(u32::MAX) + 2), (8, 1), (16, 5)]);
    }

    #[test]
    fn a_counter_that_wrapped_grew() {
        let before = [cpu(0, &[(4, u32::MAX - 1), (8, 7)])];
        let now = [cpu(0, &[(4, 3), (8, 7)]), cpu(1, &[(4, 9)])];
        assert_eq!(
            since(&now, &before),
            Some(vec![cpu(0, &[(4, 5), (8, 0)]), cpu(1, &[(4, 9)])])
        );
    }

    #[test]
    fn a_counter_that_went_back_is_of_another_namespace() {
        assert_eq!(since(&[cpu(0, &[(4, 3)])], &[cpu(0, &[(4, 4)])]), None);
    }
}
