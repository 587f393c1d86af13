//! Command-line parser with the behaviour of GNU's `getopt_long`.
//!
//! Scripts depend on its details, so all are reproduced: non-options may stand anywhere and are moved after the
//! options, short options bundle, a long option may be abbreviated while unambiguous, and conntrack's messages name the
//! word in [`Getopt::before`]. An optional value counts only when attached.

/// Value of an option: none, required or optional.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OptionArgument {
    /// No value.
    None,
    /// A required value.
    Required,
    /// An optional value, attached with `=` or, for a short option, directly.
    Optional,
}

/// A long option.
#[derive(Clone, Copy, Debug)]
pub(super) struct Long {
    /// Its name, without the dashes.
    pub(super) name: &'static str,
    /// Its value: none, required or optional.
    pub(super) argument: OptionArgument,
    /// The code that the parser returns for it.
    pub(super) value: i32,
}

/// Difference between the codes of one group and those of the previous group.
pub(super) const GROUP_OFFSET: i32 = 256;

/// Long options in groups. The parser returns an option's value plus [`GROUP_OFFSET`] for every earlier group, so that
/// groups may use the same values.
#[derive(Clone, Debug)]
pub(super) struct Groups {
    /// The groups of most command lines, so that no allocation is needed.
    first: [&'static [Long]; 2],
    more: Vec<&'static [Long]>,
}

impl Groups {
    /// One group.
    pub(super) const fn new(long: &'static [Long]) -> Self {
        Self {
            first: [long, &[]],
            more: Vec::new(),
        }
    }

    /// Adds a group.
    pub(super) fn add(&mut self, long: &'static [Long]) {
        if self.first[1].is_empty() {
            self.first[1] = long;
        } else {
            self.more.push(long);
        }
    }

    /// The options in order, each with its group's number.
    fn options(&self) -> impl Iterator<Item = (i32, &'static Long)> {
        let groups = self.first.iter().chain(&self.more);
        (0..)
            .zip(groups)
            .flat_map(|(number, group)| group.iter().map(move |option| (number, option)))
    }

    /// The option with this name, or the one that it abbreviates: all options with this prefix must be the same one.
    fn find(&self, typed: &[u8]) -> Option<Long> {
        let of_group = |(number, option): (i32, &Long)| Long {
            value: option.value + number * GROUP_OFFSET,
            ..*option
        };
        let mut options = self.options();
        if let Some(exact) = options.find(|(_, option)| option.name.as_bytes() == typed) {
            return Some(of_group(exact));
        }
        let begins = |(_, option): &(i32, &Long)| option.name.as_bytes().starts_with(typed);
        let mut begun = self.options().filter(begins).map(of_group);
        let first = begun.next()?;
        begun
            .all(|option| option.argument == first.argument && option.value == first.value)
            .then_some(first)
    }
}

/// Result of one step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Found<'a> {
    /// An option, with its value.
    Option(i32, Option<&'a [u8]>),
    /// Not an option, or an ambiguous abbreviation.
    Unknown,
    /// An option whose value is missing.
    NoValue,
}

/// A command line being parsed.
#[derive(Debug)]
pub(super) struct Getopt<'a> {
    words: Vec<&'a [u8]>,
    short: &'static [(u8, OptionArgument)],
    /// Index of the next word.
    next: usize,
    /// Position in the previous word where a bundle of short options continues.
    bundle: Option<(usize, usize)>,
    /// The skipped non-options: from `skipped.0` to before `skipped.1`.
    skipped: (usize, usize),
}

impl<'a> Getopt<'a> {
    /// Starts after the program's name, which is the first word.
    pub(super) fn new(words: Vec<&'a [u8]>, short: &'static [(u8, OptionArgument)]) -> Self {
        Self {
            words,
            short,
            next: 1,
            bundle: None,
            skipped: (1, 1),
        }
    }

    /// The word before the next one: usually the one with the wrong option.
    pub(super) fn before(&self) -> &'a [u8] {
        self.words[self.next - 1]
    }

    /// Consumes the next word as the value of the last option, unless it begins with `-` or `!`.
    pub(super) fn detached(&mut self) -> Option<&'a [u8]> {
        let word = *self.words.get(self.next)?;
        if matches!(word.first(), Some(b'-' | b'!')) {
            return None;
        }
        self.next += 1;
        Some(word)
    }

    /// Finds the next option among the short ones and these long ones.
    pub(super) fn next_option(&mut self, long: &Groups) -> Option<Found<'a>> {
        if let Some((word, at)) = self.bundle.take() {
            return Some(self.short(word, at));
        }
        self.skip_words();
        if self.words.get(self.next).is_some_and(|word| *word == b"--") {
            self.next += 1;
            let (first, last) = self.skipped;
            if first != last && last != self.next {
                self.exchange();
            } else if first == last {
                self.skipped.0 = self.next;
            }
            self.skipped.1 = self.words.len();
            self.next = self.words.len();
        }
        let word = self.words.get(self.next)?;
        if word.starts_with(b"--") {
            return Some(self.long(long));
        }
        Some(self.short(self.next, 1))
    }

    fn skip_words(&mut self) {
        self.skipped.1 = self.skipped.1.min(self.next);
        self.skipped.0 = self.skipped.0.min(self.next);
        if self.skipped.0 != self.skipped.1 && self.skipped.1 != self.next {
            self.exchange();
        } else if self.skipped.1 != self.next {
            self.skipped.0 = self.next;
        }
        let is_option = |word: &&[u8]| word.len() > 1 && word[0] == b'-';
        while self.words.get(self.next).is_some_and(|word| !is_option(word)) {
            self.next += 1;
        }
        self.skipped.1 = self.next;
    }

    /// Moves the skipped words after the options found since.
    fn exchange(&mut self) {
        let (first, last) = self.skipped;
        self.words[first..self.next].rotate_left(last - first);
        self.skipped = (first + self.next - last, self.next);
    }

    fn short(&mut self, index: usize, at: usize) -> Found<'a> {
        let word = self.words[index];
        let letter = word[at];
        let rest = at + 1;
        let is_last = rest >= word.len();
        if is_last {
            self.next += 1;
        }
        let argument = self.short.iter().find(|(known, _)| *known == letter);
        let found = match argument {
            None => Found::Unknown,
            Some((_, OptionArgument::None)) => Found::Option(letter.into(), None),
            Some((_, OptionArgument::Optional)) if is_last => return Found::Option(letter.into(), None),
            Some((_, OptionArgument::Required)) if is_last => {
                let value = self.words.get(self.next).copied();
                if value.is_none() {
                    return Found::NoValue;
                }
                self.next += 1;
                return Found::Option(letter.into(), value);
            }
            Some(_) => {
                self.next += 1;
                return Found::Option(letter.into(), Some(&word[rest..]));
            }
        };
        if !is_last {
            self.bundle = Some((index, rest));
        }
        found
    }

    fn long(&mut self, long: &Groups) -> Found<'a> {
        let word = &self.words[self.next][2..];
        let end = word.iter().position(|byte| *byte == b'=');
        let typed = &word[..end.unwrap_or(word.len())];
        let attached = end.map(|end| &word[end + 1..]);
        let found = long.find(typed);
        self.next += 1;
        let Some(found) = found else {
            return Found::Unknown;
        };
        match (found.argument, attached) {
            (OptionArgument::None, Some(_)) => Found::Unknown,
            (OptionArgument::Required, None) => {
                let value = self.words.get(self.next).copied();
                if value.is_none() {
                    return Found::NoValue;
                }
                self.next += 1;
                Found::Option(found.value, value)
            }
            (_, attached) => Found::Option(found.value, attached),
        }
    }
}

#[cfg(test)]
mod tests;
