//! Files of command lines, one a line.

use anyhow::{Result, bail};

/// The lines of a grid, without comments and blank ones.
pub fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines()
        .filter(|line| !line.trim().is_empty() && !line.starts_with('#'))
}

/// A line's words; quotes of either kind hold one together.
pub fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    for letter in line.chars() {
        match (letter, quote) {
            (_, Some(open)) if letter == open => quote = None,
            (_, Some(_)) => word.get_or_insert_default().push(letter),
            ('\'' | '"', None) => {
                word.get_or_insert_default();
                quote = Some(letter);
            }
            (' ', None) => words.extend(word.take()),
            _ => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word);
    words
}

/// How often what conntrack lost step in is done again.
pub const TRIES: usize = 5;

/// Collects what went wrong, so that all of it is told at once.
#[derive(Default)]
pub struct Report {
    compared: usize,
    differences: Vec<String>,
}

impl Report {
    /// Takes one comparison.
    pub fn add(&mut self, line: &str, compared: Result<()>) {
        self.compared += 1;
        if let Err(difference) = compared {
            self.differences.push(format!("conntrack {line}\n{difference:#}"));
        }
    }

    /// Takes over what another has collected.
    pub fn append(&mut self, mut other: Self) {
        self.compared += other.compared;
        self.differences.append(&mut other.differences);
    }

    /// Fails if anything was different, or if hardly anything was compared.
    pub fn end(self, at_least: usize) -> Result<()> {
        let (all, different) = (self.compared, self.differences.len());
        if different > 0 {
            bail!("{different} of {all} differ\n{}", self.differences.join("\n"));
        }
        if all < at_least {
            bail!("only {all} command lines were compared");
        }
        Ok(())
    }
}
