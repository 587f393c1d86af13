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

#[cfg(test)]
mod tests {
    use super::*;

    const SCHEMA: &str = r#"{"type":"schema","version":1,"command":"list"}"#;
    const ENTRY: &str = r#"{"family":"ipv4","timeout_s":29,"status":["CONFIRMED"],"orig":{"proto":"udp","protonum":17,"src":"192.0.2.1","dst":"192.0.2.53","sport":40312,"dport":53},"reply":{"proto":"udp","protonum":17,"src":"192.0.2.53","dst":"192.0.2.1","sport":53,"dport":40312},"mark":0,"use":1,"id":407907623}"#;

    fn wrong() -> String {
        ENTRY.replace("\"mark\"", "\"marc\"")
    }

    /// The output of `line` as scenarios read it.
    fn of(line: &str, output: &str) -> Result<String> {
        let mut words = line.split(' ');
        let mut command = Command::new(words.next().unwrap());
        let stdout = validated(command.args(words), output.as_bytes().to_vec())?;
        Ok(String::from_utf8(stdout)?)
    }

    #[test]
    fn a_stream_names_its_schema_and_follows_it() {
        assert_eq!(lines(&format!("{SCHEMA}\n{ENTRY}\n")).unwrap().len(), 1);
        let next = SCHEMA.replace("\"version\":1", "\"version\":2");
        for text in [
            ENTRY.to_owned(),
            format!("{next}\n{ENTRY}"),
            format!("{SCHEMA}\n{}", wrong()),
            format!("{SCHEMA}\nrsct: no JSON"),
        ] {
            assert!(lines(&text).is_err(), "{text}");
        }
    }

    #[test]
    fn output_of_rsct_is_validated_without_its_first_line() {
        let list = "ip netns exec x /usr/bin/rsct list -o json";
        let entry = format!("{ENTRY}\n");
        let stream = format!("{SCHEMA}\n{ENTRY}\n");
        assert_eq!(of(list, &stream).unwrap(), entry);
        assert!(of(list, &entry).is_err());
        assert!(of(list, &format!("{SCHEMA}\n{}\n", wrong())).is_err());
        // A script's output too, if it names its schema.
        assert_eq!(of("sh -c script", &stream).unwrap(), entry);
        assert!(of("sh -c script", &format!("{SCHEMA}\n{}\n", wrong())).is_err());
        for other in ["rsct list -o save", "nft -j list ruleset", "tool -o json"] {
            assert_eq!(of(other, &entry).unwrap(), entry, "{other}");
        }
    }

    #[test]
    fn objects_without_a_first_line_are_validated() {
        let count = "{\"schema\":1,\"entries\":3}\n";
        assert_eq!(of("rsct count -o json", count).unwrap(), count);
        let wrong = count.replace("entries", "entrees");
        assert!(of("rsct count -o json", &wrong).is_err());
    }
}
