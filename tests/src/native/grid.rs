//! Grids of command lines for two tools that should behave alike: their lines, and the results of the comparison.

use anyhow::{Result, bail, ensure};

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

/// Attempts at a line during which conntrack loses step with the kernel.
pub const TRIES: usize = 5;

/// Collects the differences, so that all are reported at once.
#[derive(Default)]
pub struct Report {
    compared: usize,
    differences: Vec<String>,
}

impl Report {
    /// Adds one comparison.
    pub fn add(&mut self, line: &str, compared: Result<()>) {
        self.compared += 1;
        if let Err(difference) = compared {
            self.differences.push(format!("{line}\n{difference:#}"));
        }
    }

    /// Adds the comparisons of another report.
    pub fn append(&mut self, mut other: Self) {
        self.compared += other.compared;
        self.differences.append(&mut other.differences);
    }

    /// Fails if anything differed, or if hardly anything was compared.
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

/// Compares two runs and shows both where they differ.
pub fn same<const N: usize>(names: &[&str; N], theirs: &[String; N], ours: &[String; N]) -> Result<()> {
    let mut differences = String::new();
    for ((name, theirs), ours) in names.iter().zip(theirs).zip(ours) {
        if theirs != ours {
            let their_lines: Vec<&str> = theirs.lines().collect();
            let our_lines: Vec<&str> = ours.lines().collect();
            let only = |these: &[&str], others: &[&str], mark: &str| {
                let lines = these.iter().filter(|line| !others.contains(line)).take(6);
                lines
                    .map(|line| format!("    {mark} {line}\n"))
                    .collect::<String>()
            };
            differences += &format!("  {name} differs (< old tool, > rsct):\n");
            let shown = only(&their_lines, &our_lines, "<") + &only(&our_lines, &their_lines, ">");
            differences += if shown.is_empty() {
                "    only in order or in number\n"
            } else {
                &shown
            };
        }
    }
    ensure!(differences.is_empty(), "{differences}");
    Ok(())
}
