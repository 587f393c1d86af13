//! A command line read as GNU's `getopt_long` reads it.
//!
//! Scripts lean on its habits, so they are kept to the letter: words that are no options may stand anywhere and are
//! moved behind the options as they are met, short options bundle, a long one may be cut as long as it stays
//! unambiguous, and what [`Getopt::before`] shows is what conntrack names in its sentences. An optional value only
//! counts when it is attached.

/// Whether an option takes a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Takes {
    /// It doesn't.
    Nothing,
    /// It does.
    Value,
    /// It may, attached with `=` or, to a short option, directly.
    Perhaps,
}

/// A long option.
#[derive(Clone, Copy, Debug)]
pub(super) struct Long {
    /// Its name, without the dashes.
    pub(super) name: &'static str,
    /// Whether it takes a value.
    pub(super) takes: Takes,
    /// What it is reported as.
    pub(super) value: i32,
}

/// What was met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Met {
    /// An option, with its value.
    Option(i32, Option<Vec<u8>>),
    /// Something that looks like an option and is none, or is several.
    Unknown,
    /// An option whose value is missing.
    NoValue,
}

/// A command line on its way.
#[derive(Debug)]
pub(super) struct Getopt {
    words: Vec<Vec<u8>>,
    short: &'static [(u8, Takes)],
    /// The word that is looked at next.
    next: usize,
    /// Where in the word before a bundle of short options goes on.
    bundle: Option<(usize, usize)>,
    /// The words that were skipped because they are no options: from `skipped.0` up to before `skipped.1`.
    skipped: (usize, usize),
}

impl Getopt {
    /// Begins behind the program's name, which is the first word.
    pub(super) fn new(words: Vec<Vec<u8>>, short: &'static [(u8, Takes)]) -> Self {
        Self {
            words,
            short,
            next: 1,
            bundle: None,
            skipped: (1, 1),
        }
    }

    /// The word before the one that is looked at next: where a wrong option stands, mostly.
    pub(super) fn before(&self) -> &[u8] {
        &self.words[self.next - 1]
    }

    /// Takes the next word as the value of the option that was just met, if it doesn't begin like an option or a
    /// negation.
    pub(super) fn detached(&mut self) -> Option<Vec<u8>> {
        let word = self.words.get(self.next)?;
        if matches!(word.first(), Some(b'-' | b'!')) {
            return None;
        }
        self.next += 1;
        Some(word.clone())
    }

    /// Looks for the next option among the short ones and these long ones.
    pub(super) fn meet(&mut self, long: &[Long]) -> Option<Met> {
        if let Some((word, at)) = self.bundle.take() {
            return Some(self.short(word, at));
        }
        self.skip_words();
        if self.words.get(self.next).is_some_and(|word| word == b"--") {
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
        let is_option = |word: &Vec<u8>| word.len() > 1 && word[0] == b'-';
        while self.words.get(self.next).is_some_and(|word| !is_option(word)) {
            self.next += 1;
        }
        self.skipped.1 = self.next;
    }

    /// Moves the skipped words behind the options that were met since.
    fn exchange(&mut self) {
        let (first, last) = self.skipped;
        self.words[first..self.next].rotate_left(last - first);
        self.skipped = (first + self.next - last, self.next);
    }

    fn short(&mut self, word: usize, at: usize) -> Met {
        let letter = self.words[word][at];
        let rest = at + 1;
        let is_last = rest >= self.words[word].len();
        if is_last {
            self.next += 1;
        }
        let takes = self.short.iter().find(|(known, _)| *known == letter);
        let attached = || Some(self.words[word][rest..].to_vec());
        let met = match takes {
            None => Met::Unknown,
            Some((_, Takes::Nothing)) => Met::Option(letter.into(), None),
            Some((_, Takes::Perhaps)) if is_last => return Met::Option(letter.into(), None),
            Some((_, Takes::Value)) if is_last => {
                let value = self.words.get(self.next).cloned();
                if value.is_none() {
                    return Met::NoValue;
                }
                self.next += 1;
                return Met::Option(letter.into(), value);
            }
            Some(_) => {
                let met = Met::Option(letter.into(), attached());
                self.next += 1;
                return met;
            }
        };
        if !is_last {
            self.bundle = Some((word, rest));
        }
        met
    }

    fn long(&mut self, long: &[Long]) -> Met {
        let word = &self.words[self.next][2..];
        let end = word.iter().position(|byte| *byte == b'=');
        let typed = &word[..end.unwrap_or(word.len())];
        let attached = end.map(|end| word[end + 1..].to_vec());
        let found = find(long, typed);
        self.next += 1;
        let Some(found) = found else {
            return Met::Unknown;
        };
        match (found.takes, attached) {
            (Takes::Nothing, Some(_)) => Met::Unknown,
            (Takes::Value, None) => {
                let value = self.words.get(self.next).cloned();
                if value.is_none() {
                    return Met::NoValue;
                }
                self.next += 1;
                Met::Option(found.value, value)
            }
            (_, attached) => Met::Option(found.value, attached),
        }
    }
}

/// The option of this name, or the one that it is an unambiguous beginning of: all that begin so must be the same
/// option.
fn find<'a>(long: &'a [Long], typed: &[u8]) -> Option<&'a Long> {
    if let Some(exact) = long.iter().find(|option| option.name.as_bytes() == typed) {
        return Some(exact);
    }
    let mut begun = long
        .iter()
        .filter(|option| option.name.as_bytes().starts_with(typed));
    let first = begun.next()?;
    begun
        .all(|option| option.takes == first.takes && option.value == first.value)
        .then_some(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: &[(u8, Takes)] = &[
        (b'L', Takes::Perhaps),
        (b'z', Takes::Nothing),
        (b'S', Takes::Nothing),
        (b'p', Takes::Value),
    ];
    const fn long(name: &'static str, takes: Takes, value: u8) -> Long {
        Long {
            name,
            takes,
            value: value as i32,
        }
    }
    const LONG: &[Long] = &[
        long("dump", Takes::Perhaps, b'L'),
        long("src", Takes::Value, b's'),
        long("src-nat", Takes::Perhaps, b'n'),
        long("zero", Takes::Nothing, b'z'),
        long("zone", Takes::Value, b'w'),
        long("orig-src", Takes::Value, b's'),
        long("label", Takes::Value, b'l'),
        long("label-add", Takes::Value, b'<'),
    ];

    /// What glibc's getopt_long makes of the same words, one letter for each option, `?` and `:` for what is wrong,
    /// each with its value and the word before the next.
    fn read(line: &str) -> String {
        let words = line.split(' ').map(|word| word.as_bytes().to_vec());
        let mut getopt = Getopt::new(std::iter::once(b"prog".to_vec()).chain(words).collect(), SHORT);
        let mut all = Vec::new();
        while let Some(met) = getopt.meet(LONG) {
            let before = String::from_utf8_lossy(getopt.before()).into_owned();
            all.push(match met {
                Met::Unknown => format!("?@{before}"),
                Met::NoValue => format!(":@{before}"),
                Met::Option(value, arg) => {
                    let letter = char::from(u8::try_from(value).unwrap());
                    match arg {
                        Some(arg) => format!("{letter}={}", String::from_utf8_lossy(&arg)),
                        None => letter.to_string(),
                    }
                }
            });
        }
        all.join(" ")
    }

    #[test]
    fn it_reads_as_glibc_does() {
        for (line, expected) in [
            ("-L -z", "L z"),
            ("-Lz", "L=z"),
            ("-zL", "z L"),
            ("-zLx", "z L=x"),
            ("-zp tcp", "z p=tcp"),
            ("-zptcp", "z p=tcp"),
            ("-p", ":@-p"),
            ("-zp", "z :@-zp"),
            ("-zX", "z ?@-zX"),
            ("-zXz", "z ?@prog z"),
            ("a b -z c", "z"),
            ("a -zXz", "z ?@a z"),
            ("--dump=expect", "L=expect"),
            ("--dum expect", "L"),
            ("--z", "?@--z"),
            ("--ze", "z"),
            ("--ze=5", "?@--ze=5"),
            ("--zo=5", "w=5"),
            ("--zo 5", "w=5"),
            ("--zo", ":@--zo"),
            ("--src=1", "s=1"),
            ("--src-", "n"),
            ("--sr", "?@--sr"),
            ("--src-nat=", "n="),
            ("--lab x", "?@--lab"),
            ("--label", ":@--label"),
            ("--=", "?@--="),
            ("-z -- -z", "z"),
            ("a -- -z", ""),
            ("- -z", "z"),
            ("-p -z", "p=-z"),
            ("-?", "?@-?"),
        ] {
            assert_eq!(read(line), expected, "{line}");
        }
    }

    /// A word taken as an optional value counts as one of the options when words are moved behind them.
    #[test]
    fn a_detached_value_is_no_stray_word() {
        let words = ["prog", "x", "-L", "table", "-z", "y"].map(|word| word.as_bytes().to_vec());
        let mut getopt = Getopt::new(words.to_vec(), SHORT);
        assert_eq!(getopt.meet(LONG), Some(Met::Option(b'L'.into(), None)));
        assert_eq!(getopt.detached().as_deref(), Some(&b"table"[..]));
        assert_eq!(getopt.meet(LONG), Some(Met::Option(b'z'.into(), None)));
        assert_eq!(getopt.detached().as_deref(), Some(&b"y"[..]));
        assert_eq!(getopt.meet(LONG), None);
        assert_eq!(getopt.words[1..].concat(), b"-Ltable-zyx");
    }
}
