//! The table of docs/metrics.md, which is made from the families, and the names in docs/prometheus.
//! `RSCT_WRITE_DOCS=1 cargo test -p rsct --lib metrics::docs` writes the table.

use std::{collections::BTreeSet, fmt::Write as _, fs, path::PathBuf};

use super::{
    families,
    family::{Family, Kind},
};

const BEGIN: &str = "<!-- families -->\n";
const END: &str = "<!-- end of families -->\n";

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../docs")
        .join(name)
}

fn table() -> String {
    let mut table = "| metric | kind | labels | source | meaning |\n|---|---|---|---|---|\n".to_owned();
    for family in families::ALL {
        let labels: Vec<String> = family.labels.iter().map(|label| format!("`{label}`")).collect();
        let _ = writeln!(
            table,
            "| `{}` | {} | {} | {} | {} |",
            family.sample_name(),
            family.kind.name(),
            labels.join(", "),
            family.part.name(),
            family.help.trim_end_matches('.'),
        );
    }
    table
}

#[test]
fn the_table_of_the_page_is_that_of_the_code() {
    let file = path("metrics.md");
    let page = fs::read_to_string(&file).unwrap();
    let (head, rest) = page.split_once(BEGIN).unwrap();
    let (written, tail) = rest.split_once(END).unwrap();
    let table = table();
    if std::env::var_os("RSCT_WRITE_DOCS").is_some() {
        fs::write(&file, format!("{head}{BEGIN}{table}{END}{tail}")).unwrap();
        return;
    }
    assert_eq!(
        written, table,
        "docs/metrics.md differs from the families: RSCT_WRITE_DOCS=1 writes its table anew"
    );
}

/// The names of samples that a family can have.
fn samples(family: &Family) -> Vec<String> {
    match family.kind {
        Kind::Histogram => ["_bucket", "_sum", "_count"]
            .map(|end| format!("{}{end}", family.name))
            .to_vec(),
        _ => vec![family.sample_name()],
    }
}

#[test]
fn rules_and_dashboard_name_metrics_that_exist() {
    let known: BTreeSet<String> = families::ALL.iter().flat_map(|family| samples(family)).collect();
    for name in ["rules.yaml", "rules_test.yaml", "dashboard.json", "runbook.md"] {
        let text = fs::read_to_string(path("prometheus").join(name)).unwrap();
        let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let mut named = 0;
        for word in words.filter(|word| word.starts_with("rsct_") || word.starts_with("process_")) {
            // A recorded name has another prefix, so each of these is exported.
            assert!(known.contains(word), "{name} names {word}");
            named += 1;
        }
        assert!(named > 0, "{name}");
    }
}

#[test]
fn each_alert_has_a_runbook() {
    let rules = fs::read_to_string(path("prometheus/rules.yaml")).unwrap();
    let runbook = fs::read_to_string(path("prometheus/runbook.md")).unwrap();
    let alerts: Vec<&str> = rules
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- alert: "))
        .collect();
    assert!(alerts.len() >= 8, "{alerts:?}");
    let sections: Vec<&str> = runbook
        .lines()
        .filter_map(|line| line.strip_prefix("## "))
        .collect();
    assert_eq!(alerts, sections);
    for alert in alerts {
        let link = format!("runbook.md#{}", alert.to_lowercase());
        assert!(rules.contains(&link), "no {link}");
    }
}
