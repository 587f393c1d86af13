//! rsct's JSON output, each line of which is validated against the schema of its command.

use std::{ffi::OsStr, path::Path, process::Command};

use anyhow::{Context as _, Result, anyhow, ensure};
use rsct::internals::schema::{self, Validator};
use serde_json::Value;

/// A stream of lines, of which the first names the schema.
#[derive(Default)]
pub struct Stream {
    validator: Option<Validator>,
}

impl Stream {
    /// The object of the next line; none of the first, which names the schema.
    pub fn line(&mut self, text: &str) -> Result<Option<Value>> {
        let value: Value = serde_json::from_str(text).with_context(|| format!("not JSON: {text}"))?;
        match &self.validator {
            Some(validator) => {
                ensure!(value["type"] != "schema", "another line names the schema: {text}");
                validator
                    .validate(&value)
                    .map_err(|invalid| anyhow!("{invalid}: not a line of the schema: {text}"))?;
                Ok(Some(value))
            }
            None => {
                let validator = Validator::of_first_line(&value);
                self.validator =
                    Some(validator.with_context(|| format!("the first line names no schema: {text}"))?);
                Ok(None)
            }
        }
    }
}

/// The objects of a whole stream.
pub fn lines(text: &str) -> Result<Vec<Value>> {
    let mut stream = Stream::default();
    let objects = text.lines().map(|line| stream.line(line));
    objects.filter_map(Result::transpose).collect()
}

/// The values of any output: those of a stream are validated.
pub fn values(text: &str) -> Result<Vec<Value>> {
    if text.as_bytes().starts_with(FIRST) {
        return lines(text);
    }
    let values = serde_json::Deserializer::from_str(text).into_iter();
    values
        .map(|value| value.context("the output is not JSON"))
        .collect()
}

/// The beginning of the first line.
const FIRST: &[u8] = b"{\"type\":\"schema\"";

/// The output of a command, less the line that names the schema. All lines are validated if there is such a line, or if
/// the command is rsct with `-o json`: that prints the line also without any other, unless it fails.
pub fn validated(command: &Command, succeeded: bool, stdout: Vec<u8>) -> Result<Vec<u8>> {
    let words: Vec<&OsStr> = words(command).collect();
    // A shell's script may have the options.
    let is_stream = stdout.starts_with(FIRST);
    if !is_stream && !prints_json(&words) {
        return Ok(stdout);
    }
    if stdout.is_empty() {
        ensure!(!succeeded, "it printed no first line");
        return Ok(stdout);
    }
    let text = str::from_utf8(&stdout).context("JSON that is not UTF-8")?;
    let of_objects = [schema::Command::Count, schema::Command::Doctor]
        .into_iter()
        .find(|command| words.get(1).is_some_and(|word| *word == command.name()));
    if let Some(command) = of_objects {
        let validator = Validator::of(command);
        for value in values(text)? {
            validator
                .validate(&value)
                .map_err(|invalid| anyhow!("{invalid}: not an object of the schema: {text}"))?;
        }
        return Ok(stdout);
    }
    lines(text)?;
    let first = text.find('\n').map_or(text.len(), |end| end + 1);
    Ok(stdout[first..].to_vec())
}

/// The words of rsct's command line; none if another program runs.
fn words(command: &Command) -> impl Iterator<Item = &OsStr> {
    let all = std::iter::once(command.get_program()).chain(command.get_args());
    all.skip_while(|word| Path::new(word).file_name() != Some(OsStr::new("rsct")))
}

/// Returns whether these words are a command line of rsct with `-o json`, and without `-q`.
fn prints_json(words: &[&OsStr]) -> bool {
    let is_json = |pair: &[&OsStr]| (pair[0] == "-o" || pair[0] == "--output") && pair[1] == "json";
    words.windows(2).any(is_json) && !words.iter().any(|word| *word == "-q" || *word == "--quiet")
}

#[cfg(test)]
mod tests {
    use super::*;

    const COUNT: &str = "{\"schema\":1,\"entries\":3}\n";
    const SCHEMA: &str = "{\"type\":\"schema\",\"version\":1,\"command\":\"expect watch\"}\n";
    const STARTED: &str = "{\"type\":\"started\"}\n";

    fn validate(line: &str, succeeded: bool, stdout: &str) -> Result<String> {
        let mut words = line.split(' ');
        let mut command = Command::new(words.next().unwrap_or_default());
        command.args(words);
        let validated = validated(&command, succeeded, stdout.as_bytes().to_vec())?;
        Ok(String::from_utf8(validated)?)
    }

    fn fails(line: &str, succeeded: bool, stdout: &str, with: &str) {
        let error = validate(line, succeeded, stdout).unwrap_err().to_string();
        assert!(error.contains(with), "{error}");
    }

    #[test]
    fn the_first_line_is_removed() {
        let watch = "ip netns exec a /bin/rsct expect watch -o json";
        let output = [SCHEMA, STARTED].concat();
        assert_eq!(validate(watch, true, &output).unwrap(), STARTED);
        assert_eq!(validate(watch, true, SCHEMA).unwrap(), "");
        // A script.
        assert_eq!(validate("sh -c x", true, &output).unwrap(), STARTED);
    }

    #[test]
    fn a_first_line_is_there_unless_the_command_fails() {
        fails(
            "rsct expect watch -o json",
            true,
            STARTED,
            "the first line names no schema",
        );
        fails(
            "rsct expect watch --output json",
            true,
            "",
            "it printed no first line",
        );
        fails(
            "rsct expect watch -o json",
            false,
            STARTED,
            "the first line names no schema",
        );
        assert_eq!(validate("rsct expect watch -o json", false, "").unwrap(), "");
        assert_eq!(validate("rsct delete -o json -q", true, "").unwrap(), "");
    }

    #[test]
    fn a_first_line_has_this_version_and_a_command() {
        for first in [
            SCHEMA.replace(":1,", ":2,"),
            SCHEMA.replace("watch", "wait"),
            SCHEMA.replace("\"version\":1,", ""),
            SCHEMA.replace(",\"command\":\"expect watch\"", ""),
        ] {
            fails(
                "rsct expect watch -o json",
                true,
                &first,
                "the first line names no schema",
            );
        }
    }

    #[test]
    fn every_further_line_is_of_the_schema() {
        for (line, with) in [
            (
                "{\"type\":\"started\",\"new\":1}\n",
                "/new: the schema has no such key",
            ),
            (
                "{\"type\":\"synced\",\"entries\":1}\n",
                "not a line of the schema",
            ),
            (
                "{\"type\":\"loss\",\"lost\":\"1\",\"overruns\":1}\n",
                "/lost: \"1\" is not of type \"integer\"",
            ),
            (
                "{\"type\":\"loss\",\"lost\":1}\n",
                "the key \"overruns\" is missing",
            ),
            (SCHEMA, "another line names the schema"),
            ("started\n", "not JSON"),
        ] {
            let output = [SCHEMA, STARTED, line].concat();
            fails("rsct expect watch -o json", true, &output, with);
        }
    }

    #[test]
    fn objects_have_the_version() {
        assert_eq!(validate("rsct count -o json", true, COUNT).unwrap(), COUNT);
        fails(
            "rsct count -o json",
            true,
            "{\"entries\":3}",
            "the key \"schema\" is missing",
        );
        fails("rsct count -o json", true, "", "it printed no first line");
        // Another command with the same word.
        fails(
            "rsct list -o json --helper count",
            true,
            COUNT,
            "the first line names no schema",
        );
    }

    #[test]
    fn other_output_is_unchanged() {
        assert_eq!(validate("rsct count", true, "3\n").unwrap(), "3\n");
        assert_eq!(validate("conntrack -o json", true, "x").unwrap(), "x");
    }
}
