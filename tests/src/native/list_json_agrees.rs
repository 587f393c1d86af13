//! `-o json` describes the same entries as the lines.

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::table;

pub fn run() -> Result<()> {
    let namespace = table::broad()?;
    let json = namespace.list(&["-o", "json"])?;
    let lines = namespace.list(&[])?;
    ensure!(json.lines().count() == lines.lines().count(), "{json}\n{lines}");
    for (object, line) in json.lines().zip(lines.lines()) {
        let agree = || {
            let object: Value = serde_json::from_str(object)?;
            let line_again = line_of(&object);
            table::same_but_for_time(&line_again, line)
        };
        agree().with_context(|| object.to_owned())?;
    }
    let labelled = json
        .lines()
        .filter(|line| line.contains("\"labels\":[3,64]"))
        .count();
    ensure!(labelled > 0, "no entry with labels 3 and 64:\n{json}");
    Ok(())
}

/// The line that conntrack would print for an object.
fn line_of(entry: &Value) -> String {
    let mut line = format!(
        "{:<8} {} {} ",
        entry["orig"]["proto"].as_str().unwrap_or("unknown"),
        entry["orig"]["protonum"],
        entry["timeout_s"]
    );
    let has = |bit: &str| {
        entry["status"]
            .as_array()
            .is_some_and(|bits| bits.iter().any(|b| b == bit))
    };
    if let Some(state) = entry["state"].as_str() {
        line += &format!("{state} ");
    }
    for (name, flag) in [
        ("orig", if has("SEEN_REPLY") { "" } else { "[UNREPLIED] " }),
        ("reply", ""),
    ] {
        let direction = &entry[name];
        for key in ["src", "dst"] {
            line += &format!("{key}={} ", direction[key].as_str().unwrap_or("missing"));
        }
        for (key, shown) in [
            ("sport", "sport"),
            ("dport", "dport"),
            ("icmp_type", "type"),
            ("icmp_code", "code"),
            ("icmp_id", "id"),
        ] {
            line += &member(direction, key, shown);
        }
        for key in ["srckey", "dstkey"] {
            if let Some(value) = direction[key].as_u64() {
                line += &format!("{key}={value:#x} ");
            }
        }
        line += &member(direction, "zone", &format!("zone-{name}"));
        line += &member(direction, "packets", "packets");
        line += &member(direction, "bytes", "bytes");
        line += flag;
    }
    line += if has("ASSURED") { "[ASSURED] " } else { "" };
    line += &member(entry, "mark", "mark");
    line += &member(entry, "zone", "zone");
    if let Some(start_ns) = entry["start_ns"].as_u64() {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        line += &format!(
            "delta-time={} ",
            now.map_or(0, |now| now.as_secs()) - start_ns / 1_000_000_000
        );
    }
    if let Some(helper) = entry["helper"].as_str() {
        line += &format!("helper={helper} ");
    }
    line += &member(entry, "use", "use");
    line.trim_end().to_owned()
}

fn member(object: &Value, key: &str, shown: &str) -> String {
    match &object[key] {
        Value::Null => String::new(),
        value => format!("{shown}={value} "),
    }
}
