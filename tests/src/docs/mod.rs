//! Command lines and output in README, docs and the other pages: they are run, and their output is compared by its form.

mod check;
mod entries;
mod form;
mod parser;
mod rules;
mod runner;
mod stage;
mod traffic;
#[cfg(test)]
mod wording;

use self::parser::Documented;
pub use self::runner::run;

macro_rules! page {
    ($path:literal) => {
        ($path, include_str!(concat!("../../../", $path)))
    };
}

/// All pages with command lines: their path from the top of the repository, and their text.
const PAGES: &[(&str, &str)] = &[
    page!("CHANGELOG.md"),
    page!("CONTRIBUTING.md"),
    page!("README.md"),
    page!("SECURITY.md"),
    page!("docs/README.md"),
    page!("docs/architecture.md"),
    page!("docs/commands.md"),
    page!("docs/conntrack.md"),
    page!("docs/costs.md"),
    page!("docs/export.md"),
    page!("docs/filters.md"),
    page!("docs/json.md"),
    page!("docs/latency.md"),
    page!("docs/library.md"),
    page!("docs/metrics.md"),
    page!("docs/nfct.md"),
    page!("docs/privileges.md"),
    page!("docs/prometheus/runbook.md"),
    page!("docs/questions.md"),
    page!("docs/recording.md"),
    page!("docs/report.md"),
    page!("docs/timeouts.md"),
    page!("docs/top.md"),
    page!("docs/tutorial.md"),
];

/// The command lines of all pages.
fn all() -> anyhow::Result<Vec<Documented>> {
    let mut all = Vec::new();
    for (page, text) in PAGES {
        all.extend(parser::commands(page, text).map_err(anyhow::Error::msg)?);
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::*;

    #[test]
    fn no_page_is_missing() {
        let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let mut pages = Vec::new();
        for directory in ["", "docs/", "docs/prometheus/"] {
            for entry in fs::read_dir(top.join(directory)).unwrap() {
                let name = entry.unwrap().file_name().into_string().unwrap();
                if name.ends_with(".md") {
                    pages.push(format!("{directory}{name}"));
                }
            }
        }
        pages.sort();
        let listed: Vec<&str> = PAGES.iter().map(|(page, _)| *page).collect();
        assert_eq!(listed, pages, "add the page to PAGES in tests/src/docs/mod.rs");
    }

    #[test]
    fn every_page_is_parsed() {
        let all = all().unwrap();
        for page in ["README.md", "docs/commands.md", "docs/questions.md"] {
            assert!(
                all.iter().any(|command| command.page == page),
                "{page} has no commands"
            );
        }
        assert!(all.iter().any(|command| command.shown.is_some()));
    }

    #[test]
    fn shown_json_follows_its_schema() {
        let mut shown = 0;
        for command in all().unwrap() {
            let (Some(json), Some(lines)) = (rules::json(&command.command), &command.shown) else {
                continue;
            };
            shown += 1;
            let text = lines.join("\n");
            if let Err(error) = crate::lab::json::validated(&json, false, text.into_bytes()) {
                panic!("{}:{}: {error:#}", command.page, command.line);
            }
        }
        assert!(shown > 0, "no page shows JSON");
    }
}
