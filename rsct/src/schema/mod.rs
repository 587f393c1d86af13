//! The JSON output of rsct's commands: a struct for each kind of object, and the JSON Schema made from these structs.

mod command;
pub(crate) mod common;
#[cfg(test)]
mod docs;
pub(crate) mod entry;
pub(crate) mod expectation;
pub(crate) mod latency;
pub(crate) mod recording;
pub(crate) mod settings;
pub(crate) mod tag;
#[cfg(test)]
mod tests;
pub(crate) mod top;
pub(crate) mod trace;
mod validate;
pub(crate) mod watch;
pub(crate) mod why;
pub(crate) mod why_flow;
pub(crate) mod why_full;

use schemars::{JsonSchema, Schema, generate::SchemaSettings};
use serde::Serialize;
use serde_json::{Map, Value, json};

pub use command::Command;
pub use validate::Validator;

use crate::render::bytes;

/// The version of the schema: it changes when a key is removed or gets another meaning or type. New keys do not change
/// it.
pub(crate) const VERSION: u32 = 1;

/// The first line: the schema of the lines that follow.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct SchemaLine {
    /// The type of the line
    pub r#type: tag::SchemaLine,
    /// The version of the schema
    pub version: u32,
    /// The command, as in `rsct schema COMMAND`
    pub command: &'static str,
}

/// Appends the first line of a command that prints lines: it is there even if no other line follows.
pub(crate) fn begin(out: &mut Vec<u8>, command: Command) {
    let line = SchemaLine {
        r#type: tag::SchemaLine,
        version: VERSION,
        command: command.name(),
    };
    bytes::json_line(out, &line);
}

/// The JSON Schema (draft 2020-12) of each line that a command prints; of all commands if none is given.
pub(crate) fn document(only: Option<Command>) -> Value {
    let mut generator = SchemaSettings::draft2020_12().for_serialize().into_generator();
    let mut of_commands = Map::new();
    for command in Command::ALL {
        if only.is_none_or(|only| only == *command) {
            let schema = json!({
                "title": format!("A line of rsct {} -o json, version {VERSION}", command.name()),
                "anyOf": command.lines(&mut generator),
            });
            of_commands.insert(command.key(), schema);
        }
    }
    let mut document = Map::new();
    document.insert(
        "$schema".to_owned(),
        json!("https://json-schema.org/draft/2020-12/schema"),
    );
    let mut definitions = generator.definitions().clone();
    match only {
        Some(command) => {
            if let Some(Value::Object(schema)) = of_commands.remove(&command.key()) {
                document.extend(schema);
            }
        }
        None => {
            document.insert(
                "title".to_owned(),
                json!(format!("The JSON output of rsct's commands, version {VERSION}")),
            );
            definitions.extend(of_commands);
        }
    }
    document.insert("$defs".to_owned(), Value::Object(definitions));
    let mut document = Value::Object(document);
    tighten(&mut document);
    document
}

/// Adds the host to a line: `Host::name_lines` appends it.
fn with_host(schema: &mut Schema) {
    const DOC: &str = "The host, if recordings of several hosts or boots are read together: its name, from its second boot on with `#` and a \
                       number";
    if let Some(Value::Object(properties)) = schema.get_mut("properties") {
        properties.insert("host".to_owned(), json!({ "description": DOC, "type": "string" }));
    }
}

/// Closes objects and removes `null`: rsct omits a key whose value is unknown.
fn tighten(schema: &mut Value) {
    match schema {
        Value::Object(object) => {
            if let Some(Value::Array(types)) = object.get_mut("type") {
                types.retain(|name| name != "null");
                if let [only] = types.as_slice() {
                    let only = only.clone();
                    object.insert("type".to_owned(), only);
                }
            }
            if let Some(Value::Array(names)) = object.get_mut("enum") {
                names.retain(|name| !name.is_null());
            }
            without_null(object);
            let is_struct = object.get("properties").is_some_and(Value::is_object)
                && object.get("type").is_some_and(|kind| kind == "object");
            if is_struct {
                object.insert("additionalProperties".to_owned(), Value::Bool(false));
            }
            object.values_mut().for_each(tighten);
        }
        Value::Array(values) => values.iter_mut().for_each(tighten),
        _ => {}
    }
}

/// `anyOf` with a schema and `null` becomes that schema.
fn without_null(object: &mut Map<String, Value>) {
    let is_null = |schema: &Value| schema.get("type").is_some_and(|kind| kind == "null");
    let Some(Value::Array(schemas)) = object.get_mut("anyOf") else {
        return;
    };
    if !schemas.iter().any(is_null) {
        return;
    }
    schemas.retain(|schema| !is_null(schema));
    if let [Value::Object(only)] = schemas.as_mut_slice() {
        let only = std::mem::take(only);
        object.remove("anyOf");
        for (key, value) in only {
            object.entry(key).or_insert(value);
        }
    }
}
