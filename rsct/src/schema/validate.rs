//! A validator for the keywords of JSON Schema that rsct's own schemas have. It refuses any other keyword.

use std::fmt;

use serde_json::{Map, Value};

use super::{Command, document};

/// Validates the lines of one command.
#[derive(Clone, Debug)]
pub struct Validator {
    document: Value,
}

/// Where a value differs from its schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid {
    /// A JSON pointer to the value.
    path: String,
    message: String,
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.message)
    }
}

impl std::error::Error for Invalid {}

type Outcome = Result<(), Invalid>;

impl Validator {
    /// For the lines that a command prints.
    pub fn of(command: Command) -> Self {
        Self {
            document: document(Some(command)),
        }
    }

    /// For the stream that begins with this line; none if that is no schema line of this version.
    pub fn of_first_line(line: &Value) -> Option<Self> {
        let is_known = line["type"] == "schema" && line["version"] == super::VERSION;
        let command = Command::of(&[line["command"].as_str()?.to_owned()])?;
        is_known.then(|| Self::of(command))
    }

    /// Validates one line, or one object.
    pub fn validate(&self, line: &Value) -> Outcome {
        self.value(&self.document, line, "")
    }

    fn value(&self, schema: &Value, value: &Value, path: &str) -> Outcome {
        let invalid = |message: String| {
            Err(Invalid {
                path: path.to_owned(),
                message,
            })
        };
        let Value::Object(keywords) = schema else {
            return match schema {
                Value::Bool(true) => Ok(()),
                _ => invalid(format!("{value} is not allowed")),
            };
        };
        for (keyword, of) in keywords {
            match (keyword.as_str(), of) {
                ("$schema" | "$defs" | "title" | "description" | "format", _) => {}
                // Validated with `properties` and with `prefixItems`.
                ("additionalProperties" | "items", _) => {}
                ("$ref", Value::String(reference)) => match self.definition(reference) {
                    Some(definition) => self.value(definition, value, path)?,
                    None => return invalid(format!("the schema has no {reference}")),
                },
                ("type", Value::String(name)) if is_of_type(value, name) => {}
                ("type", name) => return invalid(format!("{value} is not of type {name}")),
                ("const", only) if only == value => {}
                ("const", only) => return invalid(format!("{value} is not {only}")),
                ("enum", Value::Array(all)) if all.contains(value) => {}
                ("enum", all) => return invalid(format!("{value} is none of {all}")),
                ("minimum", least) if at_least(value, least) => {}
                ("maximum", most) if at_least(most, value) => {}
                ("minimum" | "maximum", bound) => {
                    return invalid(format!("{value} is beyond the {keyword} {bound}"));
                }
                ("minItems", least) if length(value) >= least.as_u64() => {}
                ("maxItems", most) if length(value) <= most.as_u64() => {}
                ("minItems" | "maxItems", _) => return invalid(format!("{value} has another length")),
                ("required", Value::Array(names)) => {
                    let is_there = |name: &Value| name.as_str().is_some_and(|name| value.get(name).is_some());
                    if let Some(missing) = names.iter().find(|name| !is_there(name)) {
                        return invalid(format!("the key {missing} is missing"));
                    }
                }
                ("properties" | "prefixItems", _) => {}
                ("anyOf" | "oneOf", Value::Array(schemas)) => self.any_of(schemas, value, path)?,
                _ => return invalid(format!("the schema's keyword {keyword} is not supported")),
            }
        }
        match value {
            Value::Object(members) => self.members(keywords, members, path),
            Value::Array(items) => self.items(keywords, items, path),
            _ => Ok(()),
        }
    }

    fn members(&self, keywords: &Map<String, Value>, members: &Map<String, Value>, path: &str) -> Outcome {
        for (name, member) in members {
            let at = format!("{path}/{name}");
            let property = keywords
                .get("properties")
                .and_then(|properties| properties.get(name));
            match (property, keywords.get("additionalProperties")) {
                (Some(property), _) => self.value(property, member, &at)?,
                (None, Some(Value::Bool(false))) => {
                    return Err(Invalid {
                        path: at,
                        message: "the schema has no such key".to_owned(),
                    });
                }
                (None, Some(others)) => self.value(others, member, &at)?,
                (None, None) => {}
            }
        }
        Ok(())
    }

    fn items(&self, keywords: &Map<String, Value>, items: &[Value], path: &str) -> Outcome {
        let first = keywords.get("prefixItems").and_then(Value::as_array);
        for (index, item) in items.iter().enumerate() {
            let schema = first
                .and_then(|first| first.get(index))
                .or_else(|| keywords.get("items"));
            if let Some(schema) = schema {
                self.value(schema, item, &format!("{path}/{index}"))?;
            }
        }
        Ok(())
    }

    /// The failure of the schema that has the line's type, else the first.
    fn any_of(&self, schemas: &[Value], value: &Value, path: &str) -> Outcome {
        let mut found = None;
        for schema in schemas {
            let Err(failure) = self.value(schema, value, path) else {
                return Ok(());
            };
            let is_of_type = self.line_type(schema) == value.get("type");
            if found.is_none() || (is_of_type && !matches!(found, Some((true, _)))) {
                found = Some((is_of_type, failure));
            }
        }
        found.map_or(Ok(()), |(_, failure)| Err(failure))
    }

    /// The value of the key `type` that a line with this schema has.
    fn line_type<'a>(&'a self, schema: &'a Value) -> Option<&'a Value> {
        let reference = schema.get("$ref").and_then(Value::as_str);
        let schema = reference.map_or(Some(schema), |reference| self.definition(reference))?;
        schema.pointer("/properties/type/const")
    }

    fn definition(&self, reference: &str) -> Option<&Value> {
        self.document["$defs"].get(reference.strip_prefix("#/$defs/")?)
    }
}

fn is_of_type(value: &Value, name: &str) -> bool {
    match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        _ => false,
    }
}

fn at_least(value: &Value, least: &Value) -> bool {
    let wide = |value: &Value| {
        value
            .as_u64()
            .map(i128::from)
            .or_else(|| value.as_i64().map(i128::from))
    };
    match (wide(value), wide(least)) {
        (Some(value), Some(least)) => value >= least,
        _ => value.as_f64() >= least.as_f64(),
    }
}

fn length(value: &Value) -> Option<u64> {
    value.as_array().map(|items| items.len() as u64)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn validate(schema: Value, value: &Value) -> Result<(), String> {
        Validator { document: schema }
            .validate(value)
            .map_err(|invalid| invalid.to_string())
    }

    #[test]
    fn types_and_bounds_are_checked() {
        let schema = json!({"type": "integer", "minimum": 0, "maximum": 255});
        assert_eq!(validate(schema.clone(), &json!(255)), Ok(()));
        for wrong in [json!(-1), json!(256), json!(1.5), json!("1"), json!(null)] {
            assert!(validate(schema.clone(), &wrong).is_err(), "{wrong}");
        }
        assert_eq!(validate(json!({"type": "number"}), &json!(1.5)), Ok(()));
        assert_eq!(
            validate(json!({"type": "integer", "minimum": 0}), &json!(u64::MAX)),
            Ok(())
        );
        assert!(validate(json!({"const": "a"}), &json!("b")).is_err());
        assert!(validate(json!({"enum": ["a", "b"]}), &json!("c")).is_err());
    }

    #[test]
    fn objects_are_closed_where_the_schema_closes_them() {
        let schema = json!({
            "type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": false,
        });
        assert_eq!(validate(schema.clone(), &json!({"a": "x"})), Ok(()));
        assert_eq!(
            validate(schema.clone(), &json!({"a": "x", "b": 1})),
            Err("/b: the schema has no such key".to_owned())
        );
        assert_eq!(
            validate(schema.clone(), &json!({})),
            Err(": the key \"a\" is missing".to_owned())
        );
        assert_eq!(
            validate(schema, &json!({"a": 1})),
            Err("/a: 1 is not of type \"string\"".to_owned())
        );
        let map = json!({"type": "object", "additionalProperties": {"type": "integer"}});
        assert_eq!(validate(map.clone(), &json!({"any": 1})), Ok(()));
        assert!(validate(map, &json!({"any": "x"})).is_err());
    }

    #[test]
    fn items_are_checked() {
        let schema = json!({"type": "array", "items": {"type": "string"}});
        assert_eq!(validate(schema.clone(), &json!(["a", "b"])), Ok(()));
        assert_eq!(
            validate(schema, &json!(["a", 2])),
            Err("/1: 2 is not of type \"string\"".to_owned())
        );
        let pair = json!({
            "type": "array", "prefixItems": [{"type": "string"}, {"type": "integer"}], "minItems": 2, "maxItems": 2,
        });
        assert_eq!(validate(pair.clone(), &json!(["a", 1])), Ok(()));
        for wrong in [json!(["a"]), json!([1, "a"]), json!(["a", 1, 2])] {
            assert!(validate(pair.clone(), &wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_failure_is_that_of_the_right_type() {
        let line = |name: &str| {
            json!({
                "type": "object", "properties": {"type": {"const": name}, "n": {"type": "integer"}},
                "required": ["type"], "additionalProperties": false,
            })
        };
        let schema = json!({
            "anyOf": [{"$ref": "#/$defs/a"}, {"$ref": "#/$defs/b"}], "$defs": {"a": line("a"), "b": line("b")},
        });
        assert_eq!(validate(schema.clone(), &json!({"type": "b", "n": 1})), Ok(()));
        assert_eq!(
            validate(schema.clone(), &json!({"type": "b", "n": "x"})),
            Err("/n: \"x\" is not of type \"integer\"".to_owned())
        );
        assert!(validate(schema, &json!({"type": "c"})).is_err());
    }

    #[test]
    fn unknown_keywords_are_refused() {
        assert_eq!(
            validate(json!({"pattern": "^a$"}), &json!("a")),
            Err(": the schema's keyword pattern is not supported".to_owned())
        );
    }

    /// Calls `visit` with each keyword of a schema and of the schemas in it.
    fn keywords<'a>(schema: &'a Value, visit: &mut impl FnMut(&'a str, &'a Value)) {
        for (keyword, of) in schema.as_object().into_iter().flatten() {
            visit(keyword, of);
            match (keyword.as_str(), of) {
                ("properties" | "$defs", Value::Object(schemas)) => {
                    schemas.values().for_each(|schema| keywords(schema, visit));
                }
                (_, Value::Array(schemas)) => schemas.iter().for_each(|schema| keywords(schema, visit)),
                (_, schema) => keywords(schema, visit),
            }
        }
    }

    #[test]
    fn every_keyword_of_the_schemas_is_known() {
        let document = document(None);
        let validator = Validator {
            document: document.clone(),
        };
        let mut count = 0;
        keywords(&document, &mut |keyword, of| {
            count += 1;
            // Alone, as validation ends at the first keyword that fails.
            let alone = json!({ keyword: of });
            if let Err(invalid) = validator.value(&alone, &json!("a text"), "") {
                assert!(!invalid.message.contains("is not supported"), "{invalid}");
            }
        });
        assert!(count > 1000, "{count}");
    }
}
