//! Properties of all schemas.

use std::collections::{BTreeMap, BTreeSet};

use super::*;

/// Calls `visit` with each schema of the document that is an object's, and with its name or path.
fn objects<'a>(schema: &'a Value, path: &str, visit: &mut impl FnMut(&str, &'a Map<String, Value>)) {
    match schema {
        Value::Object(keywords) => {
            if keywords.get("properties").is_some_and(Value::is_object) {
                visit(path, keywords);
            }
            for (keyword, of) in keywords {
                objects(of, &format!("{path}/{keyword}"), visit);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                objects(item, &format!("{path}/{index}"), visit);
            }
        }
        _ => {}
    }
}

/// The type of a key, as a reader of JSON sees it.
fn kind(schema: &Value) -> String {
    if schema.get("$ref").is_some() {
        return "object".to_owned();
    }
    if let Some(any) = schema.get("oneOf").and_then(Value::as_array) {
        return kind(&any[0]);
    }
    match schema["type"].as_str() {
        Some("integer" | "number") => "number".to_owned(),
        Some("array") => format!("array of {}", kind(&schema["items"])),
        Some(name) => name.to_owned(),
        None => schema.to_string(),
    }
}

#[test]
fn a_key_has_one_type_in_all_commands() {
    let document = document(None);
    let mut kinds: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    objects(&document, "", &mut |_, keywords| {
        for (key, schema) in keywords["properties"].as_object().unwrap() {
            kinds.entry(key).or_default().insert(kind(schema));
        }
    });
    let several: Vec<_> = kinds.iter().filter(|(_, kinds)| kinds.len() > 1).collect();
    assert!(several.is_empty(), "{several:#?}");
    assert!(kinds.len() > 200, "{}", kinds.len());
}

#[test]
fn every_object_is_closed_and_described() {
    let document = document(None);
    objects(&document, "", &mut |path, keywords| {
        assert_eq!(
            keywords.get("additionalProperties"),
            Some(&Value::Bool(false)),
            "{path}"
        );
        for (key, schema) in keywords["properties"].as_object().unwrap() {
            let is_tag = schema.get("const").is_some();
            assert!(is_tag || schema.get("description").is_some(), "{path}: {key}");
        }
    });
}

#[test]
fn definitions_have_names_of_their_own() {
    let document = document(None);
    for name in document["$defs"].as_object().unwrap().keys() {
        assert!(!name.ends_with(|char: char| char.is_ascii_digit()), "{name}");
    }
}

#[test]
fn units_are_at_the_end_of_keys() {
    let document = document(None);
    objects(&document, "", &mut |path, keywords| {
        for key in keywords["properties"].as_object().unwrap().keys() {
            for unit in ["seconds", "_secs", "_millis", "_nanos", "_us"] {
                assert!(!key.ends_with(unit), "{path}: {key}");
            }
        }
    });
}

#[test]
fn every_command_that_prints_lines_has_its_first_line() {
    for command in Command::ALL {
        let validator = Validator::of(*command);
        let mut out = Vec::new();
        begin(&mut out, *command);
        let line: Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(validator.validate(&line).is_ok(), command.has_schema_line());
        if command.has_schema_line() {
            assert!(Validator::of_first_line(&line).is_some(), "{line}");
        }
        assert!(validator.validate(&json!({"type": "none of these"})).is_err());
    }
}
