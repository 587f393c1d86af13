//! The tables of docs/json.md, which are made from the schema. `RSCT_WRITE_DOCS=1 cargo test -p rsct --lib schema::docs`
//! writes them.

use std::{fmt::Write as _, fs, path::Path};

use serde_json::{Map, Value};

use super::{Command, document};

const BEGIN: &str = "<!-- schema: ";
const END: &str = "<!-- end of schema -->";

/// The unit of a key's value, by its name.
fn unit(key: &str) -> &'static str {
    let units = [
        ("_ns", "ns"),
        ("_ms", "ms"),
        ("_s", "s"),
        ("bytes", "bytes"),
        ("_jiffies", "jiffies"),
        ("_percent", "%"),
        ("per_second", "1/s"),
        ("_ns_histogram", "ns"),
        ("bytes_spread", "bytes"),
    ];
    let unit = units.iter().find(|(end, _)| key.ends_with(end));
    unit.map_or("", |(_, unit)| unit)
}

fn plural(kind: &str) -> String {
    match kind.split_once(' ') {
        None => format!("{kind}s"),
        Some((first, rest)) => format!("{first}s {rest}"),
    }
}

fn kind(schema: &Value) -> String {
    if let Some(reference) = schema["$ref"].as_str() {
        let name = reference.rsplit('/').next().unwrap_or_default();
        return format!("object [{name}](#{})", name.to_lowercase());
    }
    match schema["type"].as_str() {
        Some("integer" | "number") => "number".to_owned(),
        Some("array") => format!("array of {}", plural(&kind(&schema["items"]))),
        Some("object") => match schema.get("additionalProperties") {
            Some(values @ Value::Object(_)) => format!("object of {}", plural(&kind(values))),
            _ => "object".to_owned(),
        },
        Some(name) => name.to_owned(),
        None => "string".to_owned(),
    }
}

/// The properties of an object, or of all its forms.
fn properties(schema: &Value) -> (Map<String, Value>, Vec<&str>) {
    let mut all = Map::new();
    let forms: Vec<&Value> = match schema.get("oneOf").and_then(Value::as_array) {
        Some(forms) => forms.iter().collect(),
        None => vec![schema],
    };
    for form in &forms {
        let properties = form["properties"].as_object().cloned().unwrap_or_default();
        for (key, property) in properties {
            all.entry(key).or_insert(property);
        }
    }
    let is_required = |key: &str| {
        let requires = |form: &&Value| {
            let names = form["required"].as_array();
            names.is_some_and(|names| names.iter().any(|name| name == key))
        };
        forms.iter().all(requires)
    };
    let keys = forms
        .iter()
        .filter_map(|form| form["required"].as_array())
        .flatten();
    let mut required: Vec<&str> = keys.filter_map(Value::as_str).collect();
    required.retain(|key| is_required(key));
    (all, required)
}

fn table(schema: &Value) -> String {
    let (properties, required) = properties(schema);
    let mut text = String::from("| key | type | unit | meaning |\n|---|---|---|---|\n");
    for (key, property) in &properties {
        let optional = if required.contains(&key.as_str()) {
            ""
        } else {
            ", optional"
        };
        let meaning = match (property.get("const"), property["description"].as_str()) {
            (Some(value), _) => format!("`{}`", value.as_str().unwrap_or_default()),
            (None, description) => description.unwrap_or_default().replace('\n', " "),
        };
        let kind = kind(property);
        let _ = writeln!(text, "| `{key}` | {kind}{optional} | {} | {meaning} |", unit(key));
    }
    text
}

/// The document with new tables, and the names of the tables.
fn with_tables(document: &str, definitions: &Value) -> (String, Vec<String>) {
    let mut text = String::new();
    let mut names = Vec::new();
    let mut parts = document.split(BEGIN);
    text.push_str(parts.next().unwrap_or_default());
    for part in parts {
        let (name, rest) = part.split_once(" -->\n").expect("a name ends with its comment");
        let (_, rest) = rest.split_once(END).expect("a table has an end");
        let schema = &definitions[name];
        assert!(schema.is_object(), "the schema has no {name}");
        let _ = writeln!(text, "{BEGIN}{name} -->");
        if let Some(description) = schema["description"].as_str() {
            let _ = write!(text, "\n{description}\n");
        }
        let _ = write!(text, "\n{}\n{END}{rest}", table(schema));
        names.push(name.to_owned());
    }
    (text, names)
}

#[test]
fn tables_are_those_of_the_schema() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/json.md");
    let documentation = fs::read_to_string(&path).unwrap();
    let schema = document(None);
    let definitions = &schema["$defs"];
    let (expected, names) = with_tables(&documentation, definitions);
    if std::env::var_os("RSCT_WRITE_DOCS").is_some() {
        fs::write(&path, &expected).unwrap();
    } else {
        assert!(
            documentation == expected,
            "docs/json.md differs from the schema: RSCT_WRITE_DOCS=1 writes its tables anew"
        );
    }
    let commands: Vec<String> = Command::ALL.iter().map(|command| command.key()).collect();
    for name in definitions.as_object().unwrap().keys() {
        let count = names.iter().filter(|table| *table == name).count();
        let expected = usize::from(!commands.contains(name));
        assert_eq!(count, expected, "tables of {name} in docs/json.md");
    }
    let is_text = |line: &&str| !line.starts_with('|');
    let text: Vec<&str> = documentation.lines().filter(is_text).collect();
    for command in Command::ALL {
        let name = format!("`rsct {}`", command.name());
        assert!(
            text.iter().any(|line| line.contains(&name)),
            "docs/json.md lacks {name}"
        );
    }
}
