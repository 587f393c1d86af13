//! Compares the output that a page shows with the output of a run.
//!
//! | shown line | rule |
//! |---|---|
//! | `…` | stands for any lines |
//! | first line, and each line without a variable part | the run has a line of this form |
//! | any line of a command that does not watch | the run has a line of this form |
//! | message of rsct in a watch | some watch has a line of this form |
//! | comparison with the kernel's counters | the run compares the same causes with the same counters |
//! | JSON object | the run has objects of the same type with each of its keys |
//! | cause with its number, its advice | `rsct why --causes` has this text; other lines of its paragraph depend on the traffic |
//! | verdict about an entry, its advice | compared if the run has the same verdict |
//! | title of a table of `rsct latency` | compared if some run has this table: there is none for a function that is not called |
//! | row of a trace | its columns stand below the header's, and some trace of the run has a row of this shape |
//!
//! A unit test (`wording.rs`) compares the words of all lines with those in rsct's source.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::form::{form, is_variable};

/// Texts to compare with.
#[derive(Default)]
pub struct Known {
    /// `name: meaning` and `do: advice` of all causes, with single spaces.
    pub causes: BTreeSet<String>,
    /// Shapes of the rows of all traces.
    pub rows: BTreeSet<String>,
    /// Titles of the tables of `rsct latency`, by function.
    pub tables: BTreeMap<String, String>,
    /// Forms of rsct's own messages.
    pub messages: BTreeSet<String>,
}

/// Output of one command.
pub struct Output<'a> {
    /// Both streams.
    pub lines: Vec<&'a str>,
    /// Set for a command that watches.
    pub is_watch: bool,
}

const OMITTED: &str = "…";
/// Beginning of rsct's own messages.
const MESSAGE: &str = "rsct: ";
/// Indentation of a verdict and its advice.
const VERDICT: &str = "  ";
const VERDICT_ADVICE: &str = "  what to do: ";
/// First column of a trace that holds several words; each column before has one word or number.
const FREE_TEXT: &str = "TUPLE";
/// The column with the name of an interface.
const INTERFACE: &str = "IF";

impl Known {
    /// Reads the output of `rsct why --causes`.
    pub fn causes(list: &str) -> BTreeSet<String> {
        list.lines().map(spaced_once).collect()
    }

    /// Adds the rows of a trace, the titles of tables, and messages.
    pub fn add(&mut self, lines: &[&str]) {
        let messages = lines.iter().filter(|line| line.starts_with(MESSAGE));
        self.messages.extend(messages.map(|line| form(line)));
        for (title, header) in lines.iter().zip(lines.iter().skip(1)) {
            let function = table(title, header);
            self.tables
                .extend(function.map(|function| (function.to_owned(), title.to_string())));
        }
        let mut header = None;
        for line in lines {
            if let Some(found) = Header::of(line) {
                header = Some(found);
            } else if let Some(header) = &header {
                self.rows.extend(header.shape(line));
            }
        }
    }
}

/// The faults of the shown lines.
pub fn faults(shown: &[String], output: &Output<'_>, known: &Known) -> Vec<String> {
    let forms: BTreeSet<String> = output.lines.iter().map(|line| form(line)).collect();
    let run_paths: BTreeSet<String> = output
        .lines
        .iter()
        .filter_map(|line| key_paths(line))
        .flatten()
        .collect();
    let has_verdict = |name: &str| {
        let begin = format!("{VERDICT}{name}: ");
        output.lines.iter().any(|line| line.starts_with(&begin))
    };
    let mut faults = Vec::new();
    let mut is_first = true;
    let mut in_cause = false;
    let mut verdict = None;
    let mut header = None;
    for (index, line) in shown
        .iter()
        .enumerate()
        .filter(|(_, line)| line.as_str() != OMITTED)
    {
        if line.is_empty() {
            (in_cause, verdict) = (false, None);
            continue;
        }
        let first = std::mem::take(&mut is_first);
        if let Some(paths) = key_paths(line) {
            let missing: Vec<_> = paths.difference(&run_paths).map(String::as_str).collect();
            if !missing.is_empty() {
                faults.push(format!(
                    "the run has no JSON keys {}, as in {line:?}",
                    missing.join(", ")
                ));
            }
        } else if line.starts_with("{\"") {
            faults.push(format!("{line:?} is not JSON"));
        } else if let Some(cause) = cause(line) {
            in_cause = true;
            if !known.causes.contains(&spaced_once(cause)) {
                faults.push(format!("`rsct why --causes` has no line {cause:?}"));
            }
        } else if in_cause {
            if let Some(advice) = line.trim_start().strip_prefix("do ") {
                let advice = format!("do: {}", spaced_once(advice));
                if !known.causes.contains(&advice) {
                    faults.push(format!("`rsct why --causes` has no line {advice:?}"));
                }
            }
        } else if let Some(function) = shown.get(index + 1).and_then(|header| table(line, header)) {
            if known.tables.get(function).is_some_and(|title| title != line) {
                faults.push(format!("the table of {function} has another title than {line:?}"));
            }
        } else if let Some(advice) = line.strip_prefix(VERDICT_ADVICE) {
            if verdict.is_some_and(has_verdict) && !forms.contains(&form(line)) {
                faults.push(format!("the run has another advice than {advice:?}"));
            }
        } else if let Some(name) = verdict_name(line) {
            verdict = Some(name);
            if has_verdict(name) && !forms.contains(&form(line)) {
                faults.push(format!(
                    "the run has another text for the verdict {:?}",
                    line.trim()
                ));
            }
        } else if let Some(compared) = counters(line) {
            let of_run = output.lines.iter().filter_map(|line| counters(line));
            if !of_run.into_iter().any(|of_run| of_run == compared) {
                faults.push(format!("the run does not compare {compared:?}"));
            }
        } else if let Some(shape) = header.as_ref().and_then(|header: &Header| header.shape(line)) {
            if header.as_ref().is_some_and(|header| !header.stands_above(line)) {
                faults.push(format!("the columns of {line:?} do not stand below their header"));
            } else if !known.rows.contains(&shape) {
                faults.push(format!("no trace has a row {shape:?}, as in {line:?}"));
            }
        } else {
            let shown = form(line);
            let is_free = output.is_watch && !first && is_variable(&shown);
            let is_known = if is_free && line.starts_with(MESSAGE) {
                known.messages.contains(&shown)
            } else {
                is_free || forms.contains(&shown)
            };
            if !is_known {
                faults.push(format!("the run has no line {shown:?}, as in {line:?}"));
            }
            header = Header::of(line).or(header);
        }
    }
    faults
}

/// Paths of all keys in a line that is a JSON object, such as `packet/orig/src` for an object of the type `packet`.
fn key_paths(line: &str) -> Option<BTreeSet<String>> {
    fn add(paths: &mut BTreeSet<String>, parent: &str, value: &Value) {
        match value {
            Value::Object(members) => {
                for (key, value) in members {
                    let path = format!("{parent}/{key}");
                    add(paths, &path, value);
                    paths.insert(path);
                }
            }
            Value::Array(items) => items.iter().for_each(|item| add(paths, parent, item)),
            _ => {}
        }
    }
    let value: Value = serde_json::from_str(line.starts_with('{').then_some(line)?).ok()?;
    let mut paths = BTreeSet::new();
    add(&mut paths, value["type"].as_str().unwrap_or_default(), &value);
    Some(paths)
}

/// `name: meaning` in a line such as `3   42.9 %   2.8/s  name: meaning`.
fn cause(line: &str) -> Option<&str> {
    let (numbers, cause) = line.split_once("/s  ")?;
    let is_share = form(numbers) == "# # #";
    (is_share && name(cause).is_some()).then_some(cause)
}

/// The form of `INVALID packets: 7 here, invalid +6, error +1` in a comparison with the kernel's counters.
fn counters(line: &str) -> Option<String> {
    let (compared, _) = line.split_once(" in the kernel: ")?;
    Some(form(compared))
}

fn verdict_name(line: &str) -> Option<&str> {
    name(line.strip_prefix(VERDICT)?)
}

/// The function in the title of a table, which stands above the table's header.
fn table<'a>(title: &'a str, header: &str) -> Option<&'a str> {
    let (function, _) = title.split_once(": ")?;
    let is_name = |c: char| c.is_ascii_lowercase() || c == '_';
    (header.contains(" COUNT  ") && function.chars().all(is_name)).then_some(function)
}

/// The name in `name: text`.
fn name(text: &str) -> Option<&str> {
    let (name, _) = text.split_once(": ")?;
    let is_name = |c: char| c.is_ascii_lowercase() || c == '_';
    (!name.is_empty() && name.chars().all(is_name)).then_some(name)
}

fn spaced_once(line: &str) -> String {
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The header of a trace.
struct Header {
    names: Vec<String>,
    line: String,
}

impl Header {
    fn of(line: &str) -> Option<Self> {
        let names: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        (names.first()? == "SECONDS" && names.iter().any(|name| name == FREE_TEXT)).then(|| Self {
            names,
            line: line.to_owned(),
        })
    }

    fn columns(&self) -> usize {
        let columns = self.names.iter().position(|name| name == FREE_TEXT);
        columns.unwrap_or(self.names.len())
    }

    /// The row with numbers and the interface replaced, and without free text; none for a line that is no row.
    fn shape(&self, line: &str) -> Option<String> {
        let words = line.split_whitespace().take(self.columns());
        let words = words
            .enumerate()
            .map(|(column, word)| match self.names.get(column) {
                Some(name) if name == INTERFACE && word != "-" => INTERFACE,
                _ => word,
            });
        let words: Vec<&str> = words.collect();
        let (seconds, fraction) = words.first()?.split_once('.')?;
        let is_number = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_digit());
        let is_row = is_number(seconds) && is_number(fraction) && words.len() == self.columns();
        is_row.then(|| form(&words.join(" ")))
    }

    /// Returns whether the free text begins below its header.
    fn stands_above(&self, line: &str) -> bool {
        let Some(begin) = self.line.find(FREE_TEXT) else {
            return true;
        };
        let mut chars = line.chars().skip(begin - 1);
        chars.next() == Some(' ') && chars.next().is_some_and(|c| c != ' ')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known() -> Known {
        let mut known = Known {
            causes: Known::causes("invalid\n  checksum: the checksum is wrong\n    do: check the link\n"),
            ..Known::default()
        };
        known.add(&TRACE.lines().collect::<Vec<_>>());
        known.add(&["rsct: 0 packets and 2 entry events in 2.0 s."]);
        known
    }

    fn found(shown: &str, run: &str, is_watch: bool) -> Vec<String> {
        let shown: Vec<String> = shown.lines().map(str::to_owned).collect();
        let output = Output {
            lines: run.lines().collect(),
            is_watch,
        };
        faults(&shown, &output, &known())
    }

    const TRACE: &str = concat!(
        "   SECONDS IN/OUT IF FLOW TUPLE (> original, < reply)                   EVENT\n",
        "  0.105048 in  eth0     2 udp 192.0.2.1:47 > 192.0.2.2:8888             created UNREPLIED 30s\n",
    );

    #[test]
    fn lines_are_compared_by_form() {
        let run = "2 packets are INVALID in 1.1 s\nOUTCOME   P50\nall   3\n";
        assert!(
            found(
                "1 packet is INVALID in 1 ms\n…\nOUTCOME  P50\nsome 3\n",
                run,
                true
            )
            .is_empty()
        );
        assert_eq!(
            found("1 packet is INVALID in 1 ms\nsome 3\n", run, false).len(),
            1
        );
        assert_eq!(
            found("1 packet is valid in 1 ms\nOUTCOME  P90\n", run, true).len(),
            2
        );
    }

    #[test]
    fn json_is_compared_by_its_keys() {
        let run = r#"{"type":"a","of":[{"x":1},{"y":2}]}"#;
        assert!(found(r#"{"type":"a","of":[{"y":7}]}"#, run, false).is_empty());
        let faults = found(r#"{"type":"b","of":[{"z":7}]}"#, run, false);
        assert!(faults[0].contains("b/of, b/of/z, b/type"), "{faults:?}");
    }

    #[test]
    fn a_json_line_must_be_json() {
        let run = r#"{"type":"a"}"#;
        for is_watch in [true, false] {
            let faults = found("{\"type\":\"a\",…\n", run, is_watch);
            assert!(faults[0].ends_with("is not JSON"), "{faults:?}");
        }
    }

    #[test]
    fn messages_of_a_watch_are_those_of_some_watch() {
        let run = "first\n";
        let message = |text: &str| found(&format!("first\nrsct: {text}\n"), run, true);
        assert!(message("5 packets and 1 entry event in 2.0 s.").is_empty());
        assert_eq!(message("5 packets and 1 event of entries in 2.0 s.").len(), 1);
        // A message is no excuse for the first line.
        assert_eq!(
            found("rsct: 5 packets and 1 entry event in 2.0 s.\n", run, true).len(),
            1
        );
    }

    #[test]
    fn the_compared_counters_are_those_of_the_run() {
        let run = "first\nclashes: 0 here, drop +0, found +0 in the kernel: they DIFFER\n";
        let faults = |line: &str| found(&format!("first\n{line}\n"), run, true);
        assert!(faults("clashes: 7 here, drop +6, found +1 in the kernel: they agree").is_empty());
        for wrong in [
            "clash: 7 here, drop +6, found +1 in the kernel: they agree",
            "clashes: 7 here, drop +6 in the kernel: they agree",
            "clashes: 7 here, drop +6, error +1 in the kernel: they agree",
        ] {
            assert_eq!(faults(wrong).len(), 1, "{wrong}");
        }
    }

    #[test]
    fn causes_are_compared_with_their_list() {
        let shown = |meaning: &str, advice: &str| {
            format!(
                "1 is INVALID\n       1   14.3 %       0.9/s  checksum: {meaning}\n          do         {advice}\n          kernel  1  x"
            )
        };
        let run = "1 is INVALID\n";
        assert!(found(&shown("the checksum is wrong", "check the link"), run, true).is_empty());
        assert_eq!(
            found(&shown("a wrong checksum", "look at it"), run, true).len(),
            2
        );
    }

    #[test]
    fn a_verdict_is_compared_if_the_run_has_it() {
        let run = "x\n  one_way: no reply: 1 packet\n  what to do: look\n";
        assert!(
            found(
                "x\n  one_way: no reply: 3 packets\n  what to do: look\n",
                run,
                true
            )
            .is_empty()
        );
        assert!(found("x\n  answered: a reply\n  what to do: nothing\n", run, true).is_empty());
        assert_eq!(
            found("x\n  one_way: silence\n  what to do: listen\n", run, true).len(),
            2
        );
    }

    #[test]
    fn a_title_is_compared_if_some_run_has_the_table() {
        let header = "OUTCOME   COUNT   P50";
        let mut known = known();
        known.add(&["gc_worker: runs", header]);
        let faults = |title: &str| {
            let shown = [header, title, header].map(str::to_owned);
            let output = Output {
                lines: vec![header],
                is_watch: true,
            };
            faults(&shown, &output, &known)
        };
        assert!(faults("gc_worker: runs").is_empty() && faults("nf_conntrack_lock: locks").is_empty());
        assert_eq!(faults("gc_worker: collections").len(), 1);
    }

    #[test]
    fn rows_of_a_trace_are_compared_by_their_columns() {
        assert!(found(TRACE, TRACE, true).is_empty());
        let other = TRACE.replace("in  eth0", "out eth0");
        assert_eq!(found(&other, TRACE, true).len(), 1);
        let shifted = TRACE.replace("2 udp", "2  udp");
        assert_eq!(found(&shifted, TRACE, true).len(), 1);
    }
}
