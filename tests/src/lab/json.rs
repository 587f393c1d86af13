//! rsct's JSON output, each line of which is validated against the schema of its command.

use std::{ffi::OsStr, path::Path, process::Command};

use anyhow::{Context as _, Result, anyhow, bail};
use rsct::schema::{self, Validator};
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

/// How the first line begins.
const FIRST: &[u8] = b"{\"type\":\"schema\"";

/// The output of a command, less the line that names the schema. All lines are validated if there is such a line, or if
/// rsct was to print JSON.
pub fn validated(command: &Command, stdout: Vec<u8>) -> Result<Vec<u8>> {
    // A shell's script may have the options.
    if stdout.is_empty() || !(stdout.starts_with(FIRST) || prints_json(command)) {
        return Ok(stdout);
    }
    let text = str::from_utf8(&stdout).context("JSON that is no UTF-8")?;
    for object in [schema::Command::Count, schema::Command::Doctor] {
        if words(command).any(|word| word == object.name()) {
            let validator = Validator::of(object);
            for value in serde_json::Deserializer::from_str(text).into_iter::<Value>() {
                if let Err(invalid) = validator.validate(&value?) {
                    bail!("{invalid}: not an object of the schema: {text}");
                }
            }
            return Ok(stdout);
        }
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

fn prints_json(command: &Command) -> bool {
    let words: Vec<&OsStr> = words(command).collect();
    words
        .windows(2)
        .any(|pair| (pair[0] == "-o" || pair[0] == "--output") && pair[1] == "json")
}
