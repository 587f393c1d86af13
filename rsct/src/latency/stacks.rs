//! Kernel stacks of slow calls; most slow calls share a stack.

use std::collections::HashMap;

/// A stack, and how many slow calls it had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stack {
    /// Return addresses, the innermost first.
    pub addresses: Vec<u64>,
    /// Number of calls.
    pub count: u64,
    /// The longest call, in nanoseconds.
    pub slowest_ns: u64,
}

/// All stacks, numbered from 1 in order of appearance.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stacks {
    stacks: Vec<Stack>,
    numbers: HashMap<Vec<u64>, usize>,
}

impl Stacks {
    /// Adds a call; returns its stack's number.
    pub(crate) fn take(&mut self, addresses: &[u64], took_ns: u64) -> usize {
        let number = match self.numbers.get(addresses) {
            Some(number) => *number,
            None => {
                self.stacks.push(Stack {
                    addresses: addresses.to_vec(),
                    count: 0,
                    slowest_ns: 0,
                });
                self.numbers.insert(addresses.to_vec(), self.stacks.len());
                self.stacks.len()
            }
        };
        let stack = &mut self.stacks[number - 1];
        stack.count += 1;
        stack.slowest_ns = stack.slowest_ns.max(took_ns);
        number
    }

    /// All stacks with their numbers.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (usize, &Stack)> {
        self.stacks
            .iter()
            .enumerate()
            .map(|(index, stack)| (index + 1, stack))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_stacks_have_the_same_number() {
        let mut stacks = Stacks::default();
        assert_eq!(stacks.take(&[1, 2], 10), 1);
        assert_eq!(stacks.take(&[1, 3], 20), 2);
        assert_eq!(stacks.take(&[1, 2], 5), 1);
        assert_eq!(
            stacks.take(&[], 1),
            3,
            "a stack that could not be had is a way too"
        );
        let of_first: Vec<(usize, u64, u64)> = stacks
            .iter()
            .map(|(number, stack)| (number, stack.count, stack.slowest_ns))
            .collect();
        assert_eq!(of_first, [(1, 2, 10), (2, 1, 20), (3, 1, 1)]);
    }
}
